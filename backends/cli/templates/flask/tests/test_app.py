"""Run with: .venv/bin/python -m unittest discover -s tests -t ."""

import time
import unittest

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from app import NAME, create_app, notes
from caller import Callers

ISSUER = "hivematrix-core"


class Key:
    def __init__(self, key):
        self.key = key


class Core:
    """Core's side: one key, and the tokens that it signs."""

    def __init__(self):
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def get_signing_key_from_jwt(self, token):
        jwt.get_unverified_header(token)
        return Key(self.private.public_key())

    def token(self, **claims):
        now = int(time.time())
        whole = {"iss": ISSUER, "sub": "1", "jti": "a session", "iat": now, "exp": now + 60, "name": "<b>Kim"}
        whole.update(claims)
        whole = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(whole, self.private, algorithm="RS256", headers={"kid": "test"})


class TestApp(unittest.TestCase):
    def setUp(self):
        notes.clear()
        self.core = Core()
        callers = Callers("http://127.0.0.1:1", ISSUER, NAME)
        callers.keys = self.core
        self.client = create_app(callers).test_client()

    def get(self, path, token=None, **more):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers.update(more)
        return self.client.get(path, headers=headers)

    def test_nobody_enters_without_a_token_except_to_ask_for_health(self):
        for path in ["/", "/api/notes"]:
            self.assertEqual(self.get(path).status_code, 401)
            self.assertEqual(self.get(path, "nonsense").status_code, 401)
            self.assertEqual(self.get(path, self.core.token(exp=1)).status_code, 401)
            self.assertEqual(self.get(path, self.core.token(iss="somebody")).status_code, 401)
            self.assertEqual(self.get(path, self.core.token(jti=None)).status_code, 401)
            self.assertEqual(self.get(path, self.core.token()).status_code, 200)
        self.assertEqual(self.client.post("/notes").status_code, 401)
        self.assertEqual(self.get("/health").status_code, 200)

    def test_services_are_told_from_people(self):
        ours = self.core.token(jti=None, type="service", calling_service="codex", target_service=NAME)
        others = self.core.token(jti=None, type="service", calling_service="codex", target_service="helm")
        self.assertEqual(self.get("/api/notes", ours).status_code, 200)
        self.assertEqual(self.get("/", ours).status_code, 403)
        self.assertEqual(self.get("/api/notes", others).status_code, 401)

    def test_a_form_comes_back_filled_in_or_answers_303_below_the_prefix(self):
        headers = {"Authorization": f"Bearer {self.core.token()}", "X-Forwarded-Prefix": f"/{NAME}"}
        refused = self.client.post("/notes", headers=headers, data={"text": "x" * 201})
        self.assertEqual(refused.status_code, 422)
        self.assertIn("x" * 201, refused.text)
        left = self.client.post("/notes", headers=headers, data={"text": "<i>milk"})
        self.assertEqual((left.status_code, left.headers["Location"]), (303, f"/{NAME}/"))
        page = self.client.get("/", headers=headers).text
        self.assertIn("&lt;i&gt;milk — &lt;b&gt;Kim", page)
        self.assertIn("The note was left.", page)


if __name__ == "__main__":
    unittest.main()
