"""OAuth 2 for services and agents: client credentials (RFC 6749, 4.4), and tokens that are taken in place of a key.

    key or assertion ──▶ POST /oauth/token ──▶ token, ten minutes ──▶ POST /v1/…   Authorization: Bearer TOKEN

A client proves who it is by its key, or by an assertion that it signs (private_key_jwt, RFC 7523).
"""
