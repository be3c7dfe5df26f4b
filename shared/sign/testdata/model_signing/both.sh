#!/bin/sh
# Checks that this program and OpenSSF's tool read each other's signatures:
#
#	sh both.sh bin/cloister venv/bin/model_signing models/flows/1.bundle
#
# Needs openssl and unzip. Last run on 2026-11-22 with model_signing 1.1.1.
set -eu
cloister=$1 tool=$2 bundle=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fails() {
	if "$@" > "$dir/said" 2>&1; then
		echo "both: this should have failed: $*" >&2
		exit 1
	fi
}

# Ours, read by the tool.
"$cloister" keygen "$dir/ours.pem"
"$cloister" sign "$bundle" --key "$dir/ours.pem" --out "$dir/ours.bundle"
unzip -q "$dir/ours.bundle" -d "$dir/ours"
"$tool" verify key "$dir/ours" --signature "$dir/ours/model.sig" --public_key "$dir/ours.pem.pub"

# Theirs, over the same content with a key that openssl made, read by us.
for curve in P-521 P-384 P-256; do
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$curve -out "$dir/theirs.pem"
	openssl pkey -in "$dir/theirs.pem" -pubout -out "$dir/theirs.pub"
	"$tool" sign key "$dir/ours" --private_key "$dir/theirs.pem" --signature "$dir/ours/model.sig"
	"$cloister" sign "$bundle" --signature "$dir/ours/model.sig" --out "$dir/theirs.bundle"
	"$cloister" verify "$dir/theirs.bundle" --key "$dir/theirs.pub"
	fails "$cloister" verify "$dir/theirs.bundle" --key "$dir/ours.pem.pub"
	rm "$dir/ours/model.sig"
	"$cloister" sign "$bundle" --key "$dir/theirs.pem" --out "$dir/$curve.bundle"
	unzip -q "$dir/$curve.bundle" -d "$dir/$curve"
	"$tool" verify key "$dir/$curve" --signature "$dir/$curve/model.sig" --public_key "$dir/theirs.pub"
done

# Our key in their hands, their key in ours.
"$tool" sign key "$dir/ours" --private_key "$dir/ours.pem" --signature "$dir/ours/model.sig"
"$cloister" sign "$bundle" --signature "$dir/ours/model.sig" --out "$dir/mixed.bundle"
"$cloister" verify "$dir/mixed.bundle" --key "$dir/ours.pem.pub"
"$cloister" sign "$bundle" --key "$dir/theirs.pem" --out "$dir/mixed.bundle"
rm -r "$dir/ours"
unzip -q "$dir/mixed.bundle" -d "$dir/ours"
"$tool" verify key "$dir/ours" --signature "$dir/ours/model.sig" --public_key "$dir/theirs.pub"

# Neither takes changed content.
printf x >> "$dir/ours/manifest.json"
fails "$tool" verify key "$dir/ours" --signature "$dir/ours/model.sig" --public_key "$dir/theirs.pub"
"$tool" sign key "$dir/ours" --private_key "$dir/theirs.pem" --signature "$dir/ours/model.sig"
fails "$cloister" sign "$bundle" --signature "$dir/ours/model.sig" --out "$dir/mixed.bundle"
echo "both: the tools read each other's signatures"
