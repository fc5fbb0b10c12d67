"""``helm install --dry-run=server``: what helm says to the worst cases when there is a real cluster to ask.

helm itself reads what it has rendered as kubectl does, and looks for objects that are in the way. It does not create
the chart's CRDs in a dry run, and does not miss them: no object of the chart is of one of their kinds.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.chart.cases import CASES, OWN_CERTIFICATE
from tests.integration.chart.installation import Cluster, Installation
from tests.integration.chart.judge import Judge
from tests.integration.chart.judgement import assert_accepted
from tests.integration.chart.rendering import Refused, Renderer, objects_of
from tests.support.apiserver import ApiServer

pytestmark = pytest.mark.apiserver


def dry_run(helm: Renderer, apiserver: ApiServer, installation: Installation) -> Any:
    """The release that helm would have made."""
    flags = ("--dry-run=server", "--output=json", "--take-ownership", f"--kubeconfig={apiserver.kubeconfig}")
    said = helm.run("install", installation, *flags)
    assert not isinstance(said, Refused), said.words
    return json.loads(said)


@pytest.mark.parametrize("name", CASES)
def test_helm_would_install_it(helm: Renderer, apiserver: ApiServer, real_judge: Judge, name: str) -> None:
    installation = replace(CASES[name], cluster=Cluster(real_judge.release, "kinds", real_judge.served))
    release = dry_run(helm, apiserver, installation)
    assert_accepted(installation, objects_of(release["manifest"]), [real_judge])
    notes = release["info"].get("notes", "")
    assert ("is installed in the namespace" in notes) == (installation.alias is None), "helm shows those of the parent"


@pytest.mark.apiserver(structured=True)
def test_the_certificate_that_is_there_is_used(helm: Renderer, apiserver: ApiServer, real_judge: Judge) -> None:
    installation = Installation("x" * 53, "with-a-certificate", values=OWN_CERTIFICATE)
    first = objects_of(dry_run(helm, apiserver, installation)["manifest"])
    (secret,) = [each.manifest for each in first if each.manifest["kind"] == "Secret"]
    data = {**secret["data"], "ca.crt": b64encode(b"kept").decode()}
    apiserver.kubectl("create", "namespace", installation.namespace)
    apiserver.kubectl("create", "--filename=-", stdin=json.dumps({**secret, "data": data}))
    second = objects_of(dry_run(helm, apiserver, installation)["manifest"])
    (configuration,) = [each.manifest for each in second if each.manifest["kind"] == "ValidatingWebhookConfiguration"]
    (webhook,) = configuration["webhooks"]
    assert b64decode(webhook["clientConfig"]["caBundle"]) == b"kept"
