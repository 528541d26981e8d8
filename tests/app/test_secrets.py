"""Settings name secrets; who keeps them is chosen, and no value comes out anywhere."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isthmus.app.config import Config, WrongConfig, load_config
from isthmus.app.platform import composed, running
from isthmus.app.resources import resources, secret_values, setting_problems
from isthmus.app.secrets import (
    Environment,
    EnvironmentSettings,
    Files,
    FilesSettings,
    SecretsNotRead,
    Vault,
    VaultSettings,
)
from isthmus.kernel import Value, encode, errors
from isthmus.manifest import Secret, Secrets, WrongSettings, checked_settings
from isthmus.packs.payment import api as payment
from isthmus.store import Database
from isthmus.testing import SecretsContract
from tests import shipped

from .vault_server import ACCOUNT, TOKEN, VaultServer, vault_server

VALUE = "s3cr3t-of-acme"
ACME = """
[providers.payment.acme]
use = "isthmus.packs.payment.service.http_provider:HTTP"
url = "https://pay.example.org"
"""


class KeySettings(Value):
    """Settings with a secret."""

    key: Secret
    url: str = ""


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultServer]:
    """Give a server of Vault's protocol, and its token to this process."""
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    entries: dict[str, dict[str, Any] | None] = {
        "isthmus/acme": {"value": VALUE, "key": "k", "port": 25},
        "isthmus/gone": None,
    }
    with vault_server(entries) as server:
        yield server


def settings(folder: Path, text: str) -> Config:
    (folder / "isthmus.toml").write_text(text)
    return load_config(folder / "isthmus.toml")


class TestTheEnvironment(SecretsContract):
    @pytest.fixture(autouse=True)
    def _set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHOP_ACME_KEY", self.VALUE)

    def provider(self) -> Secrets:
        return Environment("environment", EnvironmentSettings(prefix="SHOP_"))


class TestFiles(SecretsContract):
    @pytest.fixture(autouse=True)
    def _written(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        (tmp_path / self.NAME).write_text(f"{self.VALUE}\n")

    def provider(self) -> Secrets:
        return Files("files", FilesSettings(folder=str(self.folder)))


class TestAVault(SecretsContract):
    NAME = "acme"
    VALUE = VALUE

    @pytest.fixture(autouse=True)
    def _served(self, vault: VaultServer) -> None:
        self.url = vault.url

    def provider(self) -> Secrets:
        return Vault("vault", VaultSettings(url=self.url, path="isthmus"))


def test_a_name_in_a_vault_may_say_which_field_and_what_is_deleted_or_no_text_is_not_there(vault: VaultServer) -> None:
    kept = Vault("vault", VaultSettings(url=vault.url, path="isthmus"))
    assert kept.read(["acme#key", "acme", "acme#port", "gone", "nowhere"]) == {"acme#key": "k", "acme": VALUE}


def test_a_vault_takes_a_token_from_a_file_or_gives_one_for_a_kubernetes_account(
    vault: VaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "account").write_text(ACCOUNT)
    by_file = VaultSettings(url=vault.url, path="isthmus", token_file=str(tmp_path / "token"))
    by_account = VaultSettings(
        url=vault.url, path="isthmus", kubernetes_role="isthmus", kubernetes_token_file=str(tmp_path / "account")
    )
    for chosen in (by_file, by_account):
        assert Vault("vault", chosen).read(["acme"]) == {"acme": VALUE}


def test_a_vault_that_refuses_or_is_away_says_so_and_names_no_token(
    vault: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hvs.wrong")
    with pytest.raises(SecretsNotRead) as wrong:
        Vault("vault", VaultSettings(url=vault.url)).read(["acme"])
    assert "Forbidden" in str(wrong.value)
    assert "hvs.wrong" not in repr(wrong.value) + str(wrong.value)
    vault.server_close()
    with pytest.raises(SecretsNotRead, match="ConnectionError"):
        Vault("vault", VaultSettings(url="http://127.0.0.1:9")).read(["acme"])


def test_files_outside_the_folder_are_no_secrets_and_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    (tmp_path / "kept").mkdir()
    assert Files("files", FilesSettings(folder=str(tmp_path / "kept"))).read(["a/../../outside"]) == {}
    with pytest.raises(SecretsNotRead, match="no folder"):
        Files("files", FilesSettings(folder=str(tmp_path / "nowhere"))).read(["a"])


def test_a_secret_written_out_is_refused_without_being_repeated() -> None:
    with pytest.raises(WrongSettings) as wrong:
        checked_settings(KeySettings, {"key": VALUE}, "[settings.acme]")
    assert '{ secret = "NAME" }' in str(wrong.value)
    assert "$.key" in str(wrong.value)
    assert VALUE not in str(wrong.value)


@pytest.mark.parametrize("said", [{"secret": ""}, {"secret": 1}, {"secret": "a", "b": 1}, {}, {"secret": "../a b"}])
def test_what_names_no_secret_is_refused(said: object) -> None:
    with pytest.raises(WrongSettings, match="This is a secret"):
        checked_settings(KeySettings, {"key": said}, "[settings.acme]")


def test_no_value_comes_out_of_a_secret_but_by_being_revealed() -> None:
    kept = checked_settings(KeySettings, {"key": {"secret": "ACME"}}, "[settings.acme]", lambda _, __: VALUE)
    assert isinstance(kept, KeySettings)
    assert kept.key.reveal() == VALUE
    assert VALUE not in f"{kept} {kept!r} {kept.key} {kept.key!r}"
    for writes in (encode, msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins, pickle.dumps):
        with pytest.raises(TypeError) as refused:
            writes(kept)
        assert VALUE not in str(refused.value)


def test_tools_check_settings_without_reading_a_secret(tmp_path: Path) -> None:
    config = settings(tmp_path, f'{ACME}secret = {{ secret = "NOT_THERE" }}')
    assert setting_problems(shipped.PACKS, config) == []
    (problem,) = setting_problems(shipped.PACKS, settings(tmp_path, f'{ACME}secret = "{VALUE}"'))
    assert 'write `{ secret = "NAME" }`' in problem
    assert VALUE not in problem


async def test_a_process_that_serves_starts_with_its_secrets_or_says_where_each_one_goes(
    tmp_path: Path, database: Database
) -> None:
    files = f'[providers.secrets.files]\nuse = "isthmus.app.secrets:FILES"\nfolder = "{tmp_path}"\n'
    config = settings(tmp_path, f'{files}{ACME}secret = {{ secret = "acme" }}')
    with pytest.raises(errors.BuildProblems) as wrong:
        resources(shipped.PACKS, config, database)
    assert list(wrong.value.problems) == [
        f"[providers.payment.acme] names the secret 'acme', and there is none; put it into the file {tmp_path}/acme"
    ]
    (tmp_path / "acme").write_text(VALUE)
    made = resources(shipped.PACKS, config, database)[payment.Providers]
    assert isinstance(made, payment.Providers)
    assert set(made.by_name) == {"acme"}
    assert VALUE not in repr(made)


def test_secrets_come_from_one_and_it_is_checked_before_anything_starts(tmp_path: Path) -> None:
    both = """
        [providers.secrets.one]
        use = "isthmus.app.secrets:ENVIRONMENT"
        [providers.secrets.two]
        use = "isthmus.app.secrets:FILES"
        folder = "/run/secrets"
        [providers.secrets.three]
        use = "isthmus.app.secrets:VAULT"
    """
    wrong, both_there = setting_problems(shipped.PACKS, settings(tmp_path, both))
    assert "[providers.secrets.three]" in wrong
    assert "url" in wrong
    assert "take all but one out" in both_there
    assert secret_values(settings(tmp_path, ""), {}) == {}


async def test_an_adopted_service_is_called_with_a_secret_that_only_serving_processes_read(
    tmp_path: Path, empty_url: str
) -> None:
    (tmp_path / "erp.json").write_text(
        '{"openapi": "3.0.0", "info": {"title": "erp"}, "servers": [], "paths": {"/orders": {"get": '
        '{"operationId": "listOrders", "responses": {"200": {"description": "All."}}}}}}'
    )
    said = f"""
        [platform]
        packs = []
        flows = []
        [providers.secrets.files]
        use = "isthmus.app.secrets:FILES"
        folder = "{tmp_path}"
        [adopted.erp]
        document = "erp.json"
        url = "http://127.0.0.1:9"
        secret = {{ secret = "erp" }}
    """
    config = replace(settings(tmp_path, said), database_url=empty_url)
    assert composed(config, [])[1].packs.keys() == {"erp"}
    with pytest.raises(errors.BuildProblems, match=r"\[adopted.erp\] names the secret 'erp'"):
        async with running(config, [], allowed="migrate"):
            pass
    (tmp_path / "erp").write_text(VALUE)
    async with running(config, [], allowed="migrate") as platform:
        assert "erp" in platform.platform.release.packs
    with pytest.raises(WrongConfig, match=r"write secret = \{ secret") as wrong:
        settings(tmp_path, said.replace("{ secret =", f'{{ value = "{VALUE}", secret ='))
    assert VALUE not in str(wrong.value)
