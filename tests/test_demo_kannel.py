"""`make demo-kannel` does what it says: a campaign out, answers and reports back, through bearerbox, smsbox and fakesmsc of Debian's packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples import demo_kannel

ROOT = Path(__file__).parents[1]
MISSING = "Kannel is not here: apt-get install kannel kannel-extras"


@pytest.mark.timeout(900)
def test_a_campaign_goes_out_and_its_answers_come_back_through_the_real_kannel() -> None:
    """REQUIRE_KANNEL=1 makes its absence a failure."""
    if not demo_kannel.installed():
        pytest.fail(MISSING) if os.environ.get("REQUIRE_KANNEL") == "1" else pytest.skip(MISSING)
    done = subprocess.run([sys.executable, "examples/demo_kannel.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("each is delivered", "gọi 115", "ban se khong nhan tin nua", "six texts out, three in, each once", "nothing left behind"):
        assert said in done.stdout, done.stdout
