"""Who calls: a session token, a token of an OpenID Connect issuer, a gateway, the one user of this machine."""
