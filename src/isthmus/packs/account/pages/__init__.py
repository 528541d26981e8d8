"""Where shoppers sign in: pages, and the addresses of OpenID Connect."""
