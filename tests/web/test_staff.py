"""What all pages of staff have in common: headers, errors that tell nothing, files that browsers keep."""

import gzip
import re

import pytest
from flask import request

from gateway import app
from gateway.config import Settings
from gateway.web import assets
from tests.web.office import Office


def test_no_page_may_load_or_run_anything_from_elsewhere_or_be_kept(office: Office) -> None:
    for path in ("/login", "/nowhere", "/"):
        headers = office.browser().get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert headers["Referrer-Policy"] == "no-referrer"


def test_no_page_holds_a_script_or_style_of_its_own(office: Office) -> None:
    office.flag()
    for path in ("/login", "/invitation", "/", "/settings", "/nowhere"):
        html = office.browser("supervisor").get(path).get_data(as_text=True)
        assert not re.search(r"<style|style=|<script(?![^>]* src=)|\son\w+=", html), path


@pytest.mark.parametrize(("language", "said"), [("en", "There is no such thing here"), ("vi", "Không có mục này"), ("fr", "Cela n’existe pas ici")])
def test_what_is_not_there_is_a_page_in_the_readers_language(office: Office, language: str, said: str) -> None:
    answer = office.browser(language=language).get("/nowhere")
    assert (answer.status_code, said in answer.get_data(as_text=True)) == (404, True)
    http = office.app.test_client()
    assert said in http.get("/nowhere", headers={"Accept-Language": language}).get_data(as_text=True)


def test_a_fault_of_ours_is_a_page_that_tells_nothing_and_a_line_in_the_log(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> str:
        raise ValueError("Canary Person on +84912345678")

    office.app.view_functions["today.show"] = broken
    answer = office.browser().get("/")
    assert answer.status_code == 500
    assert "Canary" not in answer.get_data(as_text=True) and "Traceback" not in answer.get_data(as_text=True)
    said = capsys.readouterr().err
    assert '"page_failed"' in said and '"today.show"' in said and "Canary" not in said


def test_a_page_that_only_takes_forms_says_so(office: Office) -> None:
    assert office.browser().get("/flags/1/take").status_code == 405


def test_a_form_that_is_too_large_is_refused(office: Office) -> None:
    assert office.browser().post("/settings/language", language="x" * 300_000).status_code == 413


def test_files_are_kept_for_a_year_under_an_address_that_changes_with_them(office: Office) -> None:
    http = office.app.test_client()
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', http.get("/login").get_data(as_text=True)):
        answer = http.get(path, headers={"Accept-Encoding": "gzip"})
        assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "gzip")
        assert "immutable" in answer.headers["Cache-Control"]
        name = path.rpartition("/")[2]
        assert gzip.decompress(answer.data) == http.get(path).data == (assets.FOLDER / name).read_bytes()
        assert http.get(f"/static/{'0' * 16}/{name}").status_code == 404


def test_pages_travel_compressed(office: Office) -> None:
    answer = office.browser().get("/settings", **{"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip" and b"</html>" in gzip.decompress(answer.data)


def test_with_https_the_cookie_is_bound_to_it(office: Office, environ: dict[str, str]) -> None:
    made = app.create_app(Settings.from_env(environ | {"GATEWAY_PUBLIC_URL": "https://sms.example.org"}))
    cookie = made.test_client().get("/login").headers["Set-Cookie"]
    assert cookie.startswith("__Host-visit=") and "; Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie
    made.extensions["gateway"].engine.dispose()


def test_behind_a_proxy_guessers_are_told_apart_by_what_the_proxy_saw(office: Office, environ: dict[str, str]) -> None:
    seen = {}
    for proxies in ("0", "1"):
        made = app.create_app(Settings.from_env(environ | {"GATEWAY_PROXIES": proxies}))
        made.view_functions["access.login"] = lambda: str(request.remote_addr)
        seen[proxies] = made.test_client().get("/login", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}).get_data(as_text=True)
        made.extensions["gateway"].engine.dispose()
    assert seen == {"0": "127.0.0.1", "1": "198.51.100.1"}
