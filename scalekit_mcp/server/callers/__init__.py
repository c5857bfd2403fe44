"""Who is calling: by session token, access token of an OpenID Connect issuer, gateway header, or as the only user."""
