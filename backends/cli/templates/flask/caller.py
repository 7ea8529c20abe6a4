"""Who calls: the gateway sends a token of Core's with every request, and this checks it.

A token counts if Core has signed it (RS256, a key of Core's published set), it names Core as issuer and its time is not
over. A person's token has a session (jti); another service's has type "service" and names us as its target.
"""

import functools

import jwt
from flask import current_app, g, jsonify, request


class Callers:
    """Checks tokens with the keys that Core publishes."""

    def __init__(self, core, issuer, service):
        self.keys = jwt.PyJWKClient(core.rstrip("/") + "/.well-known/jwks.json", timeout=2)
        self.issuer = issuer
        self.service = service

    def check(self, token):
        """The claims of a token; jwt.PyJWTError if it does not count."""
        key = self.keys.get_signing_key_from_jwt(token)
        required = {"require": ["exp", "iss", "sub"]}
        claims = jwt.decode(token, key.key, algorithms=["RS256"], issuer=self.issuer, options=required)
        if claims.get("type") == "service":
            if claims.get("target_service") != self.service:
                raise jwt.InvalidTokenError("made for another service")
        elif claims.get("type") is not None or not claims.get("jti"):
            raise jwt.InvalidTokenError("neither a person's nor a service's")
        return claims


def token_required(view=None, *, services=False):
    """Protects a view. g.user is who calls; other services may only where `services` says so."""
    if view is None:
        return functools.partial(token_required, services=services)

    @functools.wraps(view)
    def protected(*args, **kwargs):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return jsonify(error="Sign in first."), 401
        try:
            claims = current_app.callers.check(token)
        except jwt.exceptions.PyJWKClientConnectionError:
            return jsonify(error="Core does not answer: is CORE_SERVICE_URL right?"), 503
        except jwt.PyJWTError:
            return jsonify(error="The token is not valid."), 401
        if claims.get("type") == "service" and not services:
            return jsonify(error="This is for people."), 403
        g.user = claims
        return view(*args, **kwargs)

    return protected
