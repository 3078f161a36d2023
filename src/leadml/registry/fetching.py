"""The bundle of a version brought from MLflow, after a look at names and sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leadml.errors import BundleError
from leadml.registry.layout import LIMITS
from leadml.registry.packing import BUNDLE_PATH
from leadml.registry.signing import SIGNATURE, SIGNATURE_BYTES

__all__ = ["download"]


def download(client: Any, name: str, version: str, scratch: Path) -> Path:
    """Bring the files of a version's bundle into a folder; gives the bundle, not yet verified.

    Raises
    ------
    BundleError
        MLflow keeps other files there, or larger ones, than a bundle has.
    """
    from mlflow.artifacts import download_artifacts, list_artifacts

    uri = client.get_model_version_download_uri(name, version)
    where = f"{uri.rstrip('/')}/{BUNDLE_PATH}"
    listed = list_artifacts(artifact_uri=where, tracking_uri=client.tracking_uri)
    sizes = {Path(each.path).name: each for each in listed}
    if sizes.keys() - {SIGNATURE} != LIMITS.keys() or any(each.is_dir for each in listed):
        raise BundleError(f"version {version} of '{name}' holds no bundle of leadml")
    for file, each in sizes.items():
        limit = LIMITS.get(file, SIGNATURE_BYTES)
        if each.file_size is not None and each.file_size > limit:
            raise BundleError(f"{file} of version {version} is larger than {limit:,} bytes")
    folder = scratch / "bundle"
    folder.mkdir()
    for file in sizes:
        download_artifacts(
            artifact_uri=f"{where}/{file}",
            dst_path=str(folder),
            tracking_uri=client.tracking_uri,
        )
    return folder
