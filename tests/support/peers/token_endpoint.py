"""An OAuth 2.0 token endpoint, RFC 6749 section 3.2, that gives a new token to each good request.

    with TokenEndpoint((address, 443), (certificate, key), client=("id", "secret")) as endpoint: ... endpoint.tokens
"""

import base64
import json
import urllib.parse

from .https_files import HttpsServer


class TokenEndpoint(HttpsServer):
    """Takes client_credentials and refresh_token, the client's secret in the body or as Basic authentication."""

    def __init__(self, address, certificates, client, refresh_token=None, lifetime=3600, path="/token"):
        """`client`: (id, secret). `lifetime`: seconds, as told to the client."""
        super().__init__(address, certificates)
        self.client, self.refresh_token, self.lifetime, self.path = client, refresh_token, lifetime, path
        self.tokens = []  # all that were given, the newest last
        self.forms = []  # what was asked: {parameter: value}
        self.outage = None  # (status, text): answers this instead

    @property
    def url(self):
        return f"https://{self.server.server_address[0]}:{self.port}{self.path}"

    def answer(self, method, host, path, headers, body):
        form = dict(urllib.parse.parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        self.forms.append(form)
        if self.outage:
            return self.outage[0], "application/json", self.outage[1]
        if (method, path) != ("POST", self.path):
            return 404, "text/plain", "not here\n"
        if client_of(form, headers) != self.client:
            return refused(401, "invalid_client")
        if form.get("grant_type") not in ("client_credentials", "refresh_token"):
            return refused(400, "unsupported_grant_type")
        if form["grant_type"] == "refresh_token" and form.get("refresh_token") != self.refresh_token:
            return refused(400, "invalid_grant")
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        token = {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.lifetime}
        return 200, "application/json", json.dumps(token)


def client_of(form, headers):
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id"), form.get("client_secret")
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return urllib.parse.unquote_plus(user), urllib.parse.unquote_plus(password)


def refused(status, error):
    return status, "application/json", json.dumps({"error": error})
