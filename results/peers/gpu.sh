#!/usr/bin/env bash
# convoy's cuDNN backend beside PyTorch (AMP; eager, channels_last, compiled) on the same GPU, in turns: results/peers/gpu.sh [FLAGS] [CASE ...]
# --images FOLDER (class folders of full-size JPEGs) adds the case that reads them: by the host, with --device-input resize, and decode.
# Takes the Python that has torch (CONVOY_TORCH_PYTHON, else python3) and a finished build; writes results/gpu/peers-DATE.json.
# Exit code 77: no usable GPU, nothing DID RUN.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${CONVOY_TORCH_PYTHON:-python3}
if ! "$python" -c 'import sys, torch, torchvision; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  echo "gpu.sh: $python has no torch with torchvision that sees a GPU: the comparison DID NOT RUN" >&2
  exit 77
fi
cores=$(lscpu -b -p=CORE,SOCKET | grep -v '^#' | sort -u | wc -l)  # not hardware threads
exec "$python" results/peers/peers.py --device cuda --threads "$cores" --rounds 5 --out "results/gpu/peers-$(date -u +%Y%m%dT%H%M%SZ).json" "$@"
