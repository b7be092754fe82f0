"""`serve`: answer /ping and /invocations until SIGTERM. Nothing heavy is imported here."""

from __future__ import annotations

import os

from canarywood import logs
from canarywood.artifact import Artifact
from canarywood.contract import Layout
from canarywood.serving.supervisor import Supervisor, run_folder
from canarywood.settings import ServeSettings


def run(layout: Layout) -> int:
    """Serve the model of base/model; returns 0 after an orderly stop.

    Raises SettingsError, ArtifactError where it cannot start, AlgorithmError where nginx or
    gunicorn ends by itself.
    """
    logs.configure(ServeSettings.from_environment().log_level)
    Artifact(layout.model).check()
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(layout.base)}
    with run_folder(environment) as plan:
        return Supervisor(plan, environment).run()
