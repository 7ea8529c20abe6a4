"""A Core in Python, written from the platform contract: Flask, PyJWT and redis-py, as the original has it.

For cases in which it and the Core of this repository share one Redis and one signing key. It knows what the contract knows:
records `session:<id>` (SETEX 3600, JSON as `json.dumps` writes it), revocation that rewrites the record and keeps its time to
live, RS256 tokens, the key set, service tokens for whoever asks. It asks the identity provider's userinfo endpoint.
"""

import json
import os
import re
import secrets
import time
import urllib.error
import urllib.request

import jwt
import redis
from cryptography.hazmat.primitives import serialization
from flask import Flask, jsonify, request

TOKEN_SECONDS = 3600
SERVICE_TOKEN_SECONDS = 300
KEY_ID = "hivematrix-signing-key-1"
ISSUER = "hivematrix-core"

app = Flask(__name__)
store = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
with open(os.environ["JWT_PRIVATE_KEY_FILE"], "rb") as file:
    private_key = serialization.load_pem_private_key(file.read(), password=None)
public_key = private_key.public_key()


def sign(claims):
    return jwt.encode(claims, private_key, algorithm="RS256", headers={"kid": KEY_ID})


def level_of(groups):
    names = {group.lstrip("/") for group in groups}
    for group, level in (("admins", "admin"), ("technicians", "technician"), ("billing", "billing")):
        if group in names:
            return level
    return "client"


def userinfo(access_token):
    question = urllib.request.Request(
        os.environ["USERINFO_URL"], headers={"Authorization": f"Bearer {access_token}"}
    )
    with urllib.request.urlopen(question, timeout=5) as answer:
        return json.load(answer)


def presented(name):
    body = request.get_json(silent=True) or {}
    header = request.headers.get("Authorization", "")
    return body.get(name) or (header[7:] if header.startswith("Bearer ") else None)


@app.post("/api/token/exchange")
def exchange():
    access_token = presented("access_token")
    if not access_token:
        return jsonify(error="No access token provided"), 400
    try:
        info = userinfo(access_token)
    except urllib.error.HTTPError:
        return jsonify(error="Invalid access token"), 401
    except OSError:
        return jsonify(error="Identity provider unavailable"), 502
    groups = info.get("groups", [])
    user = {
        "sub": info.get("sub"),
        "name": info.get("name"),
        "email": info.get("email"),
        "preferred_username": info.get("preferred_username"),
        "permission_level": level_of(groups),
        "groups": groups,
    }
    now = int(time.time())
    session_id = secrets.token_urlsafe(32)
    record = {"user_data": user, "created_at": now, "expires_at": now + TOKEN_SECONDS, "revoked": False}
    store.setex(f"session:{session_id}", TOKEN_SECONDS, json.dumps(record))
    claims = {"iss": ISSUER, "jti": session_id, "iat": now, "exp": now + TOKEN_SECONDS, **user}
    return jsonify(token=sign(claims))


@app.post("/api/token/validate")
def validate():
    token = presented("token")
    if not token:
        return jsonify(error="No token provided", valid=False), 400
    try:
        claims = jwt.decode(token, public_key, algorithms=["RS256"])
    except jwt.ExpiredSignatureError:
        return jsonify(error="Token expired", valid=False), 401
    except jwt.InvalidTokenError as error:
        return jsonify(error=f"Invalid token: {error}", valid=False), 401
    session_id = claims.get("jti")
    if not session_id:
        return jsonify(error="Token has no session ID", valid=False), 401
    text = store.get(f"session:{session_id}")
    record = json.loads(text) if text else None
    if record is None or record["revoked"] or record["expires_at"] < time.time():
        return jsonify(error="Session expired or revoked", valid=False), 401
    return jsonify(valid=True, user=record["user_data"])


@app.post("/api/token/revoke")
def revoke():
    token = presented("token")
    if not token:
        return jsonify(error="No token provided"), 400
    try:
        claims = jwt.decode(token, public_key, algorithms=["RS256"], options={"verify_exp": False})
    except jwt.InvalidTokenError as error:
        return jsonify(error=f"Invalid token: {error}"), 401
    key = f"session:{claims.get('jti')}"
    text = store.get(key)
    record = json.loads(text) if text else None
    if record is None or record["revoked"]:
        return jsonify(message="Session not found or already revoked"), 404
    record["revoked"] = True
    store.setex(key, max(store.ttl(key), 1), json.dumps(record))
    return jsonify(message="Session revoked successfully")


@app.post("/service-token")
def service_token():
    body = request.get_json(silent=True) or {}
    calling, target = body.get("calling_service", ""), body.get("target_service", "")
    if not all(re.fullmatch("[a-z0-9_-]{1,50}", name) for name in (calling, target)):
        return jsonify(error="calling_service and target_service are required"), 400
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": f"service:{calling}",
        "calling_service": calling,
        "target_service": target,
        "type": "service",
        "iat": now,
        "exp": now + SERVICE_TOKEN_SECONDS,
    }
    return jsonify(token=sign(claims))


@app.get("/.well-known/jwks.json")
def jwks():
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(public_key))
    wanted = {"kty": key["kty"], "alg": "RS256", "use": "sig", "kid": KEY_ID, "n": key["n"], "e": key["e"]}
    return jsonify(keys=[wanted])


@app.get("/health")
def health():
    try:
        store.ping()
    except redis.RedisError:
        return jsonify(service="core", status="unhealthy", checks={"redis": "unhealthy"}), 503
    return jsonify(service="core", status="healthy", checks={"redis": "healthy"})
