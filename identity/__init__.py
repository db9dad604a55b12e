"""What proves who somebody is: gateway keys, OIDC tokens, SAML. It asks issuers, and serves nobody."""
