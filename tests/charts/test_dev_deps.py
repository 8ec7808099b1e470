"""skaffold.yaml names what exists; the databases that it and CloudNativePG make are those that Kefu migrates into."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import kubernetes_validate
import pytest
import yaml

from services.kit.embedded import EmbeddedPostgres
from services.kit.embedded.postgres import SUPERUSER, programs
from services.stack.cluster_secrets import first_set
from services.stack.home import SERVICES, StackError
from services.stack.infra import migrate_service, wait_for_schema
from tests.charts import restricted
from tests.charts.helm import CHART, ROOT, Object, helm, pods, values_of

DEPS = ROOT / "charts" / "dev-deps"
SKAFFOLD = yaml.safe_load((ROOT / "skaffold.yaml").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def releases() -> Iterator[tuple[str, Object]]:
    for profile in SKAFFOLD["profiles"]:
        for release in profile["deploy"]["helm"]["releases"]:
            yield profile["name"], release


def test_there_is_a_profile_per_environment() -> None:
    assert [profile["name"] for profile in SKAFFOLD["profiles"]] == ["dev", "staging", "prod"]
    assert SKAFFOLD["profiles"][0]["activation"][0] == {"command": "dev"}
    for name, release in releases():
        if release["name"] == "kefu":
            assert release["valuesFiles"] == [f"charts/kefu/values/{name}.yaml"]
            assert values_of((name,))["environment"] == name


def test_every_file_of_skaffold_exists() -> None:
    for artifact in SKAFFOLD["build"]["artifacts"]:
        assert (ROOT / artifact["context"] / artifact["docker"]["dockerfile"]).is_file(), artifact
    for _, release in releases():
        assert (ROOT / release["chartPath"] / "Chart.yaml").is_file()
        assert all((ROOT / file).is_file() for file in release.get("valuesFiles", ()))
    hook = SKAFFOLD["profiles"][0]["deploy"]["helm"]["hooks"]["before"][0]["host"]["command"]
    assert (ROOT / hook[1]).is_file()


def test_every_image_key_exists_and_every_image_is_built() -> None:
    built = {re.sub(r"\W", "_", artifact["image"]) for artifact in SKAFFOLD["build"]["artifacts"]}
    for name, release in releases():
        if release["name"] != "kefu":
            continue
        templates = release["setValueTemplates"]
        used = {match for text in templates.values() for match in re.findall(r"IMAGE_(?:REPO|TAG|DIGEST)_(\w+)", text)}
        assert used == built
        assert {"image.repository", "image.tag"} <= templates.keys()
        for path in templates:
            place: Any = VALUES
            for step in path.split("."):
                assert step in place, path
                place = place[step]
        image = {"image": {"repository": "kefu", "tag": "abc", "digest": "sha256:" + "0" * 64 if name != "dev" else ""}}
        assert helm().render(CHART, values_of((name,), image)).objects


def test_the_forwarded_port_is_a_services_port() -> None:
    forward = SKAFFOLD["profiles"][0]["portForward"][0]
    service = helm().render(CHART, values_of(("dev",))).of("Service")[forward["resourceName"]]
    assert forward["port"] in {port["port"] for port in service["spec"]["ports"]}
    assert values_of(("dev",))["publicUrl"].endswith(f":{forward['localPort']}")


def test_the_stores_of_a_developers_cluster_are_sound() -> None:
    assert helm().lint(DEPS) == []
    made = helm().render(DEPS, {})
    for one in made.objects:
        kubernetes_validate.validate(one, "1.34", strict=True)
    for name, pod in pods(made.objects).items():
        assert list(restricted.faults(pod)) == [], name
    assert yaml.safe_load((DEPS / "values.yaml").read_text(encoding="utf-8"))["services"] == list(SERVICES)


def test_the_first_set_leads_to_the_stores_and_holds_what_they_ask_for() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "secrets", "--namespace", "kefu"],
        capture_output=True,
        text=True,
        check=True,
    )
    made = {one["metadata"]["name"]: one["stringData"] for one in yaml.safe_load_all(done.stdout)}
    stores = helm().render(DEPS, {})
    for pod in pods(stores.objects).values():
        for pair in pod["spec"]["containers"][0]["env"]:
            if reference := pair.get("valueFrom", {}).get("secretKeyRef"):
                assert made[reference["name"]][reference["key"]]
    hosts = {name: one["spec"]["ports"][0]["port"] for name, one in stores.of("Service").items()}
    # the release of skaffold's dev profile
    hosts = {name.replace("kefu-", "kefu-dev-", 1): port for name, port in hosts.items()}
    assert f"@kefu-dev-nats:{hosts['kefu-dev-nats']}" in made["kefu-nats"]["url"]
    assert f"@kefu-dev-postgresql:{hosts['kefu-dev-postgresql']}/kefu" in made["kefu-intake-database"]["url"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of its own: roles belong to a server, not to a database."""
    found = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    found.start()
    yield found
    found.stop(immediate=True)


async def statement(server: EmbeddedPostgres, database: str, *statements: str) -> None:
    connection = await asyncpg.connect(server.dsn(database))
    try:
        for one in statements:
            await connection.execute(one)
    finally:
        await connection.close()


async def migrated(urls: dict[str, str]) -> None:
    """Wait in vain, migrate, wait no more; and no role sees another's schema."""
    for service, url in urls.items():
        with pytest.raises(StackError, match=f"run `kefu migrate {service}`"):
            await wait_for_schema(service, url, 0)
        waiting = asyncio.create_task(wait_for_schema(service, url, 60))
        assert await migrate_service(service, url) > 0
        await waiting
    connection = await asyncpg.connect(urls["staffing"])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM intake.kefu_migrations")
    finally:
        await connection.close()


def at(server: EmbeddedPostgres, url: str) -> str:
    """The same URL at the test's server."""
    return re.sub(r"@[^/]+/", f"@127.0.0.1:{server.port}/", url)


async def test_roles_of_the_developers_stores_take_the_migrations(server: EmbeddedPostgres, tmp_path: Path) -> None:
    await statement(server, "postgres", "CREATE DATABASE kefu")
    made = first_set(SERVICES, namespace="kefu", postgres="kefu-dev-postgresql:5432", nats="n:1", kid="k")
    texts = {one["metadata"]["name"]: one["stringData"] for one in made}
    folder = tmp_path / "roles"
    folder.mkdir()
    for service in SERVICES:
        (folder / service).write_text(texts[f"kefu-{service}-database"]["password"], encoding="utf-8")
    environment = {
        **os.environ,
        "PATH": f"{programs()}{os.pathsep}{os.environ['PATH']}",
        "ROLES": str(folder),
        "POSTGRES_DB": "kefu",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": SUPERUSER,
        "PGPASSWORD": server.password(SUPERUSER),
    }
    script = await asyncio.to_thread(
        subprocess.run, ["sh", str(DEPS / "files" / "roles.sh")], env=environment, capture_output=True, check=False
    )
    assert script.returncode == 0, script.stderr.decode()
    await migrated({service: at(server, texts[f"kefu-{service}-database"]["url"]) for service in SERVICES})


async def test_roles_of_the_cloudnativepg_example_take_the_migrations(server: EmbeddedPostgres) -> None:
    example = yaml.safe_load((CHART / "examples" / "cloudnative-pg.yaml").read_text(encoding="utf-8"))
    spec = example["spec"]
    first = spec["bootstrap"]["initdb"]
    await statement(server, "postgres", f"CREATE ROLE {first['owner']}", f"CREATE DATABASE kefu OWNER {first['owner']}")
    await statement(server, first["database"], *first["postInitApplicationSQL"])
    made = first_set(SERVICES, namespace="kefu", postgres="kefu-postgresql-rw:5432", nats="n:1", kid="k")
    texts = {one["metadata"]["name"]: one for one in made}
    urls = {}
    for role in spec["managed"]["roles"]:
        account = texts[role["passwordSecret"]["name"]]
        assert account["type"] == "kubernetes.io/basic-auth"
        assert account["stringData"]["username"] == role["name"]
        # what the operator does with it
        password = account["stringData"]["password"]
        await statement(server, "postgres", f"ALTER ROLE {role['name']} LOGIN PASSWORD '{password}'")
        urls[role["name"].removeprefix("kefu_")] = at(server, account["stringData"]["url"])
    assert urls.keys() == set(SERVICES)
    await migrated(urls)
