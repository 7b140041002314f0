"""The token endpoint of the tests gives tokens to who may have them."""

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

import pytest
from certificates import Authority
from peers.token_endpoint import TokenEndpoint

GOOD = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def endpoint(authority):
    with TokenEndpoint(("127.0.0.1", 0), authority.issue("127.0.0.1"), ("id", "secret"), refresh_token="again") as it:
        yield it


def ask(endpoint, authority, **form):
    """(status, answer)"""
    context = ssl.create_default_context(cafile=authority.certificate)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(endpoint.url, urllib.parse.urlencode(form).encode(), timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_client_gets_a_new_token_each_time(endpoint, authority):
    for number in (1, 2):
        status, answer = ask(endpoint, authority, **GOOD)
        assert (status, answer["access_token"], answer["expires_in"]) == (200, f"token-{number}", 3600)
    assert endpoint.tokens == ["token-1", "token-2"]
    assert endpoint.forms[0] == GOOD


def test_a_refresh_token_is_taken(endpoint, authority):
    assert ask(endpoint, authority, **GOOD | {"grant_type": "refresh_token", "refresh_token": "again"})[0] == 200


@pytest.mark.parametrize("change, status, error", [
    ({"client_secret": "wrong"}, 401, "invalid_client"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"grant_type": "refresh_token", "refresh_token": "wrong"}, 400, "invalid_grant"),
])
def test_others_are_refused(endpoint, authority, change, status, error):
    assert ask(endpoint, authority, **GOOD | change) == (status, {"error": error})
    assert endpoint.tokens == []


def test_an_outage_is_answered_as_told(endpoint, authority):
    endpoint.outage = (503, "{}")
    assert ask(endpoint, authority, **GOOD) == (503, {})
