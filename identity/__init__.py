"""What proves who somebody is: gateway keys, OIDC tokens. It reads files, asks issuers, and serves nobody."""
