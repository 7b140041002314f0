"""smtp-relay's command line and settings, as whoever runs it by hand meets them."""

import json
import os
import subprocess

import pytest
from raw_sink import RawSink
from ports import free_ports
from relay import BIN, Client, Relay, patiently
from waiting import stays_true


def run(*arguments, **settings):
    mine = {f"SMTP_RELAY_{key.upper()}": value for key, value in settings.items()}
    return subprocess.run([str(BIN / "smtp-relay"), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], **mine})


def test_it_runs_on_four_settings_of_the_environment(tmp_path):
    """Only the ports of health and admin are moved out of the way of a relay that may run on this machine."""
    with RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path)
        http, admin = free_ports(2)
        relay.http_port = http
        relay.settings = {
            "listen": f"127.0.0.1:{relay.smtp_port}", "spool_path": tmp_path / "spool",
            "allowed_networks": "127.0.0.0/8", "smarthost": f"127.0.0.1:{sink.port}",
            "http_listen": f"127.0.0.1:{http}", "admin_listen": f"127.0.0.1:{admin}",
        }
        with relay:
            with Client(relay.smtp_port) as client:
                client.send()
            # TLS is required by default and this sink has none: the mail waits, and the log says why.
            failure = patiently(lambda: relay.records("hop_failure"), 10, "the refusal to deliver in the clear")[0]
            assert "STARTTLS is not offered" in failure["error"]
            assert relay.metric("queue_messages") == 1
        assert sink.store.messages() == []


def test_every_fault_is_reported_at_once():
    done = run("--check-config", smarthost="nonsense", lame_duck="soon", prot="25", max_recipients="1")
    assert done.returncode == 2
    for words in ("SMTP_RELAY_SMARTHOST: 'nonsense'", "SMTP_RELAY_LAME_DUCK: 'soon'", "accepted: 0s to 10m",
                  "SMTP_RELAY_PROT: unknown setting", "SMTP_RELAY_MAX_RECIPIENTS: '1'", "accepted: 100 to 50000"):
        assert words in done.stderr
    assert "4 faults" in done.stderr


@pytest.mark.parametrize("name", ["relay.test\r\nQUIT", "relay.test\n", "relay test", "relay.test\tx"])
def test_a_name_that_would_break_the_protocol_stops_the_start_Case048(name):
    done = run(smarthost="127.0.0.1:1", hostname=name)
    assert done.returncode == 2 and "SMTP_RELAY_HOSTNAME: " in done.stderr, done


def test_a_file_is_read_and_the_environment_wins(tmp_path):
    file = tmp_path / "relay.json"
    file.write_text(json.dumps({"smarthost": "a.example:25", "lame_duck": "7s", "allowed_networks": ["10.0.0.0/8"]}))
    done = run("--config", file, "--print-config", smarthost="b.example:26")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["smarthost"] == ["b.example:26"]
    assert printed["lame_duck"] == "7s"
    again = tmp_path / "again.json"
    again.write_text(done.stdout)
    assert run("--config", again, "--print-config").stdout == done.stdout


def test_an_unknown_key_or_a_missing_file_is_an_error(tmp_path):
    file = tmp_path / "relay.json"
    file.write_text('{"smarthost": "a:25", "smart_host": "b:25"}')
    done = run("--config", file, "--check-config")
    assert done.returncode == 2
    assert "smart_host: unknown key" in done.stderr
    done = run("--config", tmp_path / "missing.json", "--check-config", smarthost="a:25")
    assert done.returncode == 2
    assert "missing.json: cannot be read" in done.stderr


def test_it_tells_what_it_can_do():
    assert "--check-config" in run("--help").stdout
    assert run("--version").stdout.startswith("smtp-relay 0.")
    assert run("--no-such-flag").returncode != 0


def test_a_taken_port_stops_the_start_with_its_name(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", http_listen=f"127.0.0.1:{sink.port}")
        relay.start(wait=False)
        assert relay.process.wait(30) == 1
        assert f"listen on 127.0.0.1:{sink.port}" in relay.records("start_failed")[0]["error"]


def test_trust_anchors_change_without_a_restart_and_a_bad_one_is_refused_once(tmp_path):
    file, anchor, bad = tmp_path / "relay.json", tmp_path / "anchor", tmp_path / "bad"
    anchor.write_text("corp.test. IN DS 12345 13 2 " + "4" * 64 + "\n")
    bad.write_text("no record\n")

    def write(**more):
        part = tmp_path / "part"
        part.write_text(json.dumps({"smarthost": "127.0.0.1:1", **more}))
        part.rename(file)

    write()
    relay = Relay(tmp_path)
    relay.start(arguments=["--config", str(file)])
    write(dns_trust_anchors=str(anchor))
    patiently(lambda: relay.records("reload"), 10, "the reload")
    assert relay.records("reload")[0]["changed"] == ["dns_trust_anchors"]
    write(dns_trust_anchors=str(bad))
    patiently(lambda: relay.records("reload_refused"), 10, "the refusal")
    write(dns_trust_anchors=str(bad), max_recipients=700)
    stays_true(lambda: len(relay.records("reload_refused")) == 1, 4, "it is told once, though it is looked at again and again")
    assert relay.metric('config_reloads_total{result="refused"}') == 1
    write(max_recipients=700)
    patiently(lambda: len(relay.records("reload")) == 2, 10, "what is good is in force")
    assert not relay.records("restart_needed")
    assert relay.stop() == 0


def test_changed_settings_are_in_force_without_a_restart(tmp_path):
    file = tmp_path / "relay.json"
    with RawSink(tmp_path / "one") as first, RawSink(tmp_path / "two") as second:
        def write(port, **more):
            part = tmp_path / "part"
            part.write_text(json.dumps({"smarthost": f"127.0.0.1:{port}", **more}))
            part.rename(file)

        write(first.port)
        relay = Relay(tmp_path)
        relay.start(arguments=["--config", str(file)])
        with Client(relay.smtp_port) as client:
            client.send()
            patiently(lambda: len(first.store.messages()) == 1, 10, "the message at the first smarthost")
            write(second.port)
            patiently(lambda: relay.records("reload"), 10, "the reload")
            client.send()  # over the same session
            patiently(lambda: len(second.store.messages()) == 1, 10, "the message at the second smarthost")
            write("oops")
            patiently(lambda: relay.records("reload_refused"), 10, "the refusal")
            client.send()
            patiently(lambda: len(second.store.messages()) == 2, 10, "mail by the last good settings")
            write(second.port, listen="127.0.0.1:1")
            assert relay.metric('config_reloads_total{result="refused"}') == 1
        assert relay.stop() == 0


def test_the_log_says_as_much_as_is_wanted_without_a_restart(tmp_path):
    file = tmp_path / "relay.json"

    def write(level):
        part = tmp_path / "part"
        part.write_text(json.dumps({"log_level": level}))
        part.rename(file)

    with RawSink(tmp_path / "sink") as sink:
        write("debug")
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}")
        with relay.start(arguments=["--config", str(file)]):
            with Client(relay.smtp_port) as client:
                client.send()
            session = patiently(lambda: relay.records("session"), 10, "the end of the session")[0]
            assert (session["level"], session["client"]) == ("debug", "127.0.0.1")
            patiently(lambda: relay.records("delivery"), 10, "the delivery")
            write("error")
            patiently(lambda: relay.metric('config_reloads_total{result="applied"}') == 1, 10, "the reload")
            before = relay.log_file.read_text()
            with Client(relay.smtp_port) as client:
                queue_id = client.send()
            patiently(lambda: relay.metric('recipients_total{result="delivered"}') == 2, 10, "the delivery")
            assert relay.log_file.read_text() == before
            trace = relay.ctl("trace", "--id", queue_id)
            assert "reception" in trace and "delivery" in trace, "the journal knows it all the same"
