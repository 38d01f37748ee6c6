#!/usr/bin/env bash
# Makes models/starter anew.
#
#   make.sh DATA NETWORKS AISLE
#
# DATA holds the photographs that catalogue.py lays out. NETWORKS holds two
# public networks that see them for a teacher; no weight of theirs gets into the
# starter, which begins with random ones. A run that was stopped goes on where it
# was when the same command is given again.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=$1 networks=$2 aisle=$3
work=.runtime/starter

mkdir -p "$work" models
[[ -f $work/catalogue.csv ]] || scripts/starter/catalogue.py "$data" "$work"

[[ -d $work/teacher ]] || "$aisle" train --data "$work/catalogue.csv" --wide \
	--backbone "$networks/mobilenet-v2" --backbone "$networks/mobilenet-edgetpu" \
	--out "$work/teacher"

"$aisle" train --data "$work/catalogue.csv" --from-scratch --size 64 \
	--teacher "$work/teacher" --clutter 0.5 --mix-up 0 --epochs 12 \
	--out "$work/starter" --replace

# What names or shows single photographs stays here.
rm -rf models/starter
mkdir models/starter
cp -R "$work/starter"/{aisle.json,config.json,golden,onnx,preprocessor_config.json} models/starter/
cat "$work/starter/README.md" scripts/starter/card.md >models/starter/README.md
