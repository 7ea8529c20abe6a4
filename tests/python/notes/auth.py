"""Who calls: the platform's `@token_required`, as its services have it."""

from functools import wraps

import jwt
from flask import abort, current_app, g, request

_keys = None


def _jwks_client():
    global _keys
    if _keys is None:
        _keys = jwt.PyJWKClient(current_app.config["CORE_SERVICE_URL"] + "/.well-known/jwks.json")
    return _keys


def token_required(view):
    @wraps(view)
    def decorated(*args, **kwargs):
        header = request.headers.get("Authorization", "")
        if not header.startswith("Bearer "):
            abort(401, description="Authorization header is missing or invalid.")
        token = header.split(" ", 1)[1]
        try:
            key = _jwks_client().get_signing_key_from_jwt(token)
            data = jwt.decode(token, key.key, algorithms=["RS256"], issuer="hivematrix-core")
        except jwt.PyJWTError as error:
            abort(401, description=f"Invalid Token: {error}")
        if data.get("type") == "service":
            g.user, g.service, g.is_service_call = None, data.get("calling_service"), True
        else:
            g.user, g.service, g.is_service_call = data, None, False
        return view(*args, **kwargs)

    return decorated


def admin_required(view):
    @token_required
    @wraps(view)
    def decorated(*args, **kwargs):
        if g.user and g.user.get("permission_level") != "admin":
            abort(403, description="Admin access required.")
        return view(*args, **kwargs)

    return decorated
