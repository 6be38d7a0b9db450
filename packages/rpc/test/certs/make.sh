#!/bin/sh
# Makes the certificates of the tests: an authority, one signed by it, and one of somebody else.
# Valid for a hundred years; the keys guard nothing.
set -eu
cd "$(dirname "$0")"
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 \
    -keyout "$1.key" -out "$1.pem" -subj "/CN=$1"
}
authority ca
authority stranger
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout node.key -out node.csr \
  -subj "/CN=node" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1"
openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 \
  -copy_extensions copy -out node.pem
rm node.csr ca.srl ca.key
