#!/bin/sh
# Makes the vector in this folder with OpenSSF's own tool:
#
#	python3 -m venv venv && venv/bin/pip install model-signing==1.1.1 pyopenssl
#	sh make.sh venv/bin/model_signing
#
# Made on 2026-11-22 with model_signing 1.1.1, Python 3.11.2 and OpenSSL 3.0.
# The private key is thrown away, so each run makes another vector.
set -eu
tool=$1
cd "$(dirname "$0")"
rm -rf files key.pem model.sig key-p521.pem model-p521.sig
mkdir -p files/model files/pre
printf '{"format":"none"}\n' > files/manifest.json
printf 'A card \342\200\223 with a dash.\n' > files/CARD.md
printf '\000\001\002\377' > files/model/forest.bin
: > files/pre/features.json
key=$(mktemp)
trap 'rm -f "$key"' EXIT
for name in key key-p521; do
	curve=P-256 sig=model.sig
	[ $name = key ] || curve=P-521 sig=model-p521.sig
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$curve -out "$key"
	openssl pkey -in "$key" -pubout -out $name.pem
	"$tool" sign key files --private_key "$key" --signature files/model.sig
	"$tool" verify key files --public_key $name.pem --signature files/model.sig
	mv files/model.sig $sig
done
