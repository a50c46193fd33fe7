#!/usr/bin/env bash
# pyasn1 0.6.5 with pyasn1-modules 0.4.2 (PyPI): an ANY in a CMS structure loses its end if its length is
# indefinite.
#
# Guess:     ContentInfo.content holds the encoding of what is inside, and decoding that as SignedData works for BER as
#            it does for DER.
# Seen:      For definite lengths it works. If SignedData itself has an indefinite length, the two end-of-contents
#            octets (00 00, X.690 section 8.1.5) are missing from the bytes that ANY returns, and decoding them raises
#            EndOfStreamError. The same bytes, cut out of the message by hand with their end, can be decoded.
# Why it is met: programs that sign while reading cannot know the length: `openssl cms -sign -stream` and some mail
#            programs write opaque-signed S/MIME (smime-type=signed-data, RFC 8551 section 3.5.2) so.
# Fails when: the end is there, or the direct way fails as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyasn1==0.6.5 pyasn1-modules==0.4.2
"$folder/venv/bin/python" - <<'PYTHON'
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1_modules import rfc5652

TEXT = b"Content-Type: text/plain\r\n\r\nIt was replaced.\r\n"
signed = rfc5652.SignedData()
signed["version"] = 1
signed["digestAlgorithms"].clear()
signed["encapContentInfo"]["eContentType"] = rfc5652.id_data
signed["encapContentInfo"]["eContent"] = TEXT
signed["signerInfos"].clear()
definite = encoder.encode(signed)
assert definite[1] < 0x80  # a length of one octet
inner = {"definite": definite, "indefinite": b"\x30\x80" + definite[2:] + b"\0\0"}
OID = encoder.encode(rfc5652.id_signedData)
seen = {}
for name, content in inner.items():
    whole = b"\x30\x80" + OID + b"\xa0\x80" + content + b"\0\0" + b"\0\0"
    info, _rest = decoder.decode(whole, asn1Spec=rfc5652.ContentInfo())
    given = bytes(info["content"])
    direct, _rest = decoder.decode(content, asn1Spec=rfc5652.SignedData())
    try:
        again, _rest = decoder.decode(given, asn1Spec=rfc5652.SignedData())
        result = bytes(again["encapContentInfo"]["eContent"]) == TEXT
    except PyAsn1Error as error:
        result = type(error).__name__
    seen[name] = (result, len(content) - len(given), bytes(direct["encapContentInfo"]["eContent"]) == TEXT)
    print(f"{name}: decoded {result}, {seen[name][1]} octets missing, direct {seen[name][2]}")
assert seen == {"definite": (True, 0, True), "indefinite": ("EndOfStreamError", 2, True)}, seen
PYTHON
echo "pyasn1 0.6.5 returns an indefinite ANY without its end."
