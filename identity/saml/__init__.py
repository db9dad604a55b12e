"""SAML 2.0 for people in a browser (Web Browser SSO), our side: requests by redirect, answers by POST.

Section numbers: core, bindings, profiles and metadata are the four parts of the OASIS standard of March 2005.
"""
