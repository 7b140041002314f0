"""One world of names and mail servers for all tests of this folder; each test uses recipients of its own.

The test process lives in it (peers/network.py), so this folder is a run of pytest of its own.
"""

import dataclasses

import pytest
from certificates import Authority
from peers import bind, exim, opensmtpd, postfix, zones
from peers.https_files import HttpsFiles, policies
from peers.network import Network

USER, PASSWORD = "relay", "canary-pass:word"


@dataclasses.dataclass
class World:
    network: Network
    authority: Authority
    certificates: dict  # {name of a server: (certificate, key)}
    dns: bind.Bind = None


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """The network, with the names in it."""
    folder = tmp_path_factory.mktemp("world")
    authority = Authority(folder / "pki")
    certificates = {name: authority.issue(names[0], also=names[1:]) for name, names in zones.CERTIFICATE_NAMES.items()}
    world = World(Network(zones.NEAR, zones.FAR), authority, certificates)
    try:
        world.network.start()
        world.dns = bind.Bind(world.network, folder / "bind", zones.world(certificates["postfix"][0]))
        world.dns.start()
        world.network.resolve_at(world.dns.resolver, folder)
        yield world
    finally:
        if world.dns:
            world.dns.stop()
        world.network.stop()


def mail_server(kind):
    def fixture(world, tmp_path_factory):
        module = {"exim": exim, "postfix": postfix, "opensmtpd": opensmtpd}[kind]
        own = {"client_authority": world.authority.certificate} if kind == "postfix" else {}
        server = module.start(world.network, tmp_path_factory.mktemp(kind), name=zones.CERTIFICATE_NAMES[kind][0],
                              address=getattr(zones, kind.upper()), tls=world.certificates[kind],
                              users={USER: PASSWORD}, **own)
        yield server
        server.stop()
    return pytest.fixture(scope="session", name=f"{kind}_server")(fixture)


exim_server = mail_server("exim")
postfix_server = mail_server("postfix")
opensmtpd_server = mail_server("opensmtpd")


@pytest.fixture(params=["exim", "postfix", "opensmtpd"])
def server(request):
    """Each mail server in turn; what a test says about it holds for all."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture(scope="session")
def policy_files(world):
    with HttpsFiles((zones.HTTPS, 443), world.certificates["https"], policies(zones.POLICIES)) as files:
        yield files
