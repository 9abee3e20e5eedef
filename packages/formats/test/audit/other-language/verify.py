"""A reader of the audit log that shares nothing with the product: written from docs/audit.md alone, in another language.

    python3 verify.py EXPORT CHECKPOINTS JWKS

Prints one line for each thing that is wrong, `chain seq what`, and exits 1; or `intact` and exits 0.
"""
import base64
import hashlib
import json
import sys

FORMAT = "evergrant-audit-1"
MEMBERS = ["chain", "seq", "epoch", "era", "at", "kind", "actor", "body", "previousHash", "hash"]
NO_HASH = "0" * 64


# Ed25519 as in RFC 8032, section 6: slow and plain.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise ValueError("no point")
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = add(q, p)
        p, n = add(p, p), n >> 1
    return q


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    try:
        a, r = point(key), point(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    return len(signature) == 64 and s < L and same_x and (left[1] * right[2] - right[1] * left[2]) % P == 0


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def netstring(value):
    data = str(value).encode()
    return str(len(data)).encode() + b":" + data + b","


def hash_of(event):
    content = b"".join(netstring(part) for part in [FORMAT] + [event[member] for member in MEMBERS[:8]])
    return hashlib.sha256(bytes.fromhex(event["previousHash"]) + content).hexdigest()


class Verification:
    def __init__(self):
        self.wrong = []
        self.chains = {}  # name -> events by seq
        self.statements = {}  # name -> claims in order
        self.declared = []

    def tell(self, chain, seq, what):
        line = f"{chain} {seq} {what}"
        if line not in self.wrong:
            self.wrong.append(line)

    def read_events(self, path):
        last = None
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    event = json.loads(line.decode("utf-8"))
                    text = json.dumps({m: event[m] for m in MEMBERS}, ensure_ascii=False, separators=(",", ":"))
                    if line != text.encode() + b"\n":
                        raise ValueError
                except (ValueError, KeyError, TypeError):
                    self.tell("-", number, "unreadable")
                    continue
                self.follow(event, last)
                last = event
                self.chains.setdefault(event["chain"], {})[event["seq"]] = event
                if event["kind"] == "audit_gap":
                    self.declared.append((event, json.loads(event["body"])))

    def follow(self, event, last):
        chain, seq = event["chain"], event["seq"]
        if last is not None and (chain, seq) <= (last["chain"], last["seq"]):
            self.tell(chain, seq, "out of order")
            return
        if hash_of(event) != event["hash"]:
            self.tell(chain, seq, "changed")
        first = last is None or last["chain"] != chain
        expected, link = (1, NO_HASH) if first else (last["seq"] + 1, last["hash"])
        if seq != expected:
            self.tell(chain, expected, "missing")
        elif event["previousHash"] != link:
            self.tell(chain, seq, "does not continue")
        if not first and (event["epoch"] < last["epoch"] or event["era"] < last["era"]):
            self.tell(chain, seq, "of an older epoch")

    def claims_of(self, jws, keys):
        try:
            head, payload, signature = jws.split(".")
            header = json.loads(decoded(head))
            key = keys[header["kid"]]
            if header["alg"] == "EdDSA" and signed(key, f"{head}.{payload}".encode(), decoded(signature)):
                return {**json.loads(decoded(payload)), "typ": header["typ"]}
        except (ValueError, KeyError):
            pass
        return None

    def read_statements(self, path, keys):
        before = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                stored = json.loads(line)
                chain, number, jws = stored["chain"], stored["number"], stored["jws"]
                claims = self.claims_of(jws, keys)
                typ = "evergrant-head+jwt" if number is None else "evergrant-checkpoint+jwt"
                if claims is None or (claims["typ"], claims["chain"], claims.get("number")) != (typ, chain, number):
                    self.tell(chain, number, "checkpoint forged")
                    continue
                if number is not None:
                    last = before.get(chain)
                    link = None if last is None else last["link"]
                    if (number, claims["previous"]) != ((0 if last is None else last["number"]) + 1, link):
                        self.tell(chain, number, "checkpoint missing")
                    digest = hashlib.sha256(jws.encode()).digest()
                    claims["link"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                    before[chain] = claims
                self.statements.setdefault(chain, []).append(claims)

    def compare(self, keys):
        lost = {}  # (chain, epoch, era) -> the newest lost event that is known
        for chain, statements in self.statements.items():
            events = self.chains.get(chain, {})
            end = max(events, default=0)
            for claims in statements:
                seq = claims["seq"]
                upto = events.get(max((s for s in events if s <= seq), default=None))
                newer = upto is not None and (upto["epoch"] > claims["epoch"] or upto["era"] > claims["era"])
                if newer or not events:
                    key = (chain, claims["epoch"], claims["era"])
                    lost[key] = max(seq, lost.get(key, 0))
                elif seq in events:
                    if events[seq]["hash"] != claims["hash"]:
                        self.tell(chain, seq, "rewritten")
                elif seq > end:
                    self.tell(chain, end + 1, "truncated")
        for event, gap in self.declared:
            key = (gap["chain"], gap["epoch"], gap["era"])
            claims = self.claims_of(gap["checkpoint"], keys)
            told = claims is not None and (claims["chain"], claims["epoch"], claims["era"]) == key
            told = told and (claims["seq"], claims["hash"]) == (gap["checkpointSeq"], gap["checkpointHash"])
            there = [e["seq"] for e in self.chains.get(key[0], {}).values() if e["epoch"] <= key[1] and e["era"] <= key[2]]
            if not told or gap["epoch"] >= event["epoch"] or key not in lost or gap["lastSeq"] != max(there, default=0):
                self.tell(event["chain"], event["seq"], "declares a loss that is none")
            elif gap["checkpointSeq"] >= lost[key]:
                del lost[key]
        for (chain, epoch, _era), seq in lost.items():
            self.tell(chain, seq, f"of epoch {epoch} is gone, and nothing declares it")


def main():
    export, checkpoints, jwks = sys.argv[1:]
    with open(jwks, encoding="utf-8") as file:
        published = json.load(file)["keys"]
    keys = {key["kid"]: decoded(key["x"]) for key in published if key["kty"] == "OKP" and key["crv"] == "Ed25519"}
    verification = Verification()
    verification.read_events(export)
    verification.read_statements(checkpoints, keys)
    verification.compare(keys)
    print("\n".join(verification.wrong) or "intact")
    sys.exit(1 if verification.wrong else 0)


main()
