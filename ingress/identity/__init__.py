"""Who is calling: gateway API keys and OIDC bearer tokens, found in the headers and checked."""
