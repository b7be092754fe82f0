from __future__ import annotations

from pathlib import Path

import pytest

from canarywood.errors import SettingsError
from canarywood.settings import ServeSettings, declarations, reference

REFERENCE_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def settings(**environment: str) -> ServeSettings:
    return ServeSettings.from_environment(environment)


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    found = settings()
    assert found == ServeSettings()
    assert (found.port, found.timeout_s, found.max_body_bytes) == (8080, 55, 6_291_456)


def test_every_variable_is_read_and_belongs_to_one_setting() -> None:
    names = [name for known in declarations(ServeSettings).values() for name in known.names]
    assert len(names) == len(set(names))
    found = settings(
        SAGEMAKER_BIND_TO_PORT="9123",
        CANARYWOOD_BIND_ADDRESS="127.0.0.1",
        MODEL_SERVER_WORKERS="3",
        CANARYWOOD_THREADS="2",
        SAGEMAKER_MODEL_JOB_QUEUE_SIZE="0",
        MODEL_SERVER_TIMEOUT="9",
        SAGEMAKER_STARTUP_TIMEOUT="30",
        MAX_CONTENT_LENGTH="1000",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/json",
        SAGEMAKER_CONTAINER_LOG_LEVEL="warning",
        CANARYWOOD_REQUEST_LOG_SHARE="0.5",
        CANARYWOOD_DRAIN_DELAY="0.25",
        CANARYWOOD_MAX_REQUESTS="5000",
        SAGEMAKER_USE_NGINX="false",
    )
    assert found == ServeSettings(
        port=9123,
        bind_address="127.0.0.1",
        workers=3,
        threads=2,
        queue_size=0,
        timeout_s=9,
        startup_timeout_s=30,
        max_body_bytes=1000,
        default_accept="application/json",
        log_level=30,
        request_log_share=0.5,
        drain_delay_s=0.25,
        max_requests=5000,
        use_nginx=False,
    )


def test_the_prefixed_variable_counts_before_the_short_one() -> None:
    found = settings(SAGEMAKER_MODEL_SERVER_WORKERS="4", MODEL_SERVER_WORKERS="2")
    assert found.workers == 4


def test_a_blank_variable_counts_as_not_set() -> None:
    assert settings(SAGEMAKER_BIND_TO_PORT=" ").port == 8080


def test_a_payload_in_megabytes_becomes_bytes() -> None:
    assert settings(SAGEMAKER_MAX_PAYLOAD_IN_MB="25").max_body_bytes == 26_214_400


def test_a_payload_of_zero_megabytes_stands_for_no_limit_of_the_platform() -> None:
    assert settings(SAGEMAKER_MAX_PAYLOAD_IN_MB="0").max_body_bytes == 1024**3


def test_all_faults_are_told_at_once_with_name_value_and_range() -> None:
    with pytest.raises(SettingsError) as caught:
        settings(
            SAGEMAKER_BIND_TO_PORT="http",
            MODEL_SERVER_TIMEOUT="0",
            SAGEMAKER_MAX_PAYLOAD_IN_MB="2000",
            CANARYWOOD_REQUEST_LOG_SHARE="nan",
            SAGEMAKER_USE_NGINX="perhaps",
            CANARYWOOD_BIND_ADDRESS="0.0.0.0; evil",
        )
    assert str(caught.value).split("; ", 1)[0] == "SAGEMAKER_BIND_TO_PORT='http' must be 1 to 65535"
    assert "MODEL_SERVER_TIMEOUT='0' is out of range: 1 to 3600 seconds" in str(caught.value)
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB='2000' is out of range: 0 to 1024 MiB" in str(caught.value)
    assert "CANARYWOOD_REQUEST_LOG_SHARE='nan' is out of range: 0 to 1" in str(caught.value)
    assert "SAGEMAKER_USE_NGINX='perhaps' must be true or false" in str(caught.value)
    assert "CANARYWOOD_BIND_ADDRESS='0.0.0.0; evil' must be an IPv4 address" in str(caught.value)


def test_model_gunicorn_nginx_and_platform_give_up_in_this_order() -> None:
    found = settings()
    assert found.timeout_s < found.gunicorn_timeout_s < found.nginx_timeout_s < 60


def test_the_reference_page_is_the_one_that_the_declarations_make() -> None:
    assert REFERENCE_PAGE.read_text(encoding="utf-8") == reference()


def test_the_reference_names_every_variable() -> None:
    page = reference()
    for known in declarations(ServeSettings).values():
        for name in known.names:
            assert f"`{name}`" in page
