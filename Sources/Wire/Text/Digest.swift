internal import Crypto

/// The hash of a digest (RFC 7616). SIP knows MD5 alone, and so does every camera; some of RTSP ask for SHA-256.
package enum DigestAlgorithm: String, Equatable, Sendable {
    case md5 = "MD5"
    case sha256 = "SHA-256"

    /// MD5 where a field names none (RFC 2617 3.2.1); nil for any other.
    init?(named name: String?) {
        switch name {
        case nil, "": self = .md5
        case .some(let name) where HeaderText.isEqual(name, Self.md5.rawValue): self = .md5
        case .some(let name) where HeaderText.isEqual(name, Self.sha256.rawValue): self = .sha256
        default: return nil
        }
    }
}

/// What a server asks for: the value of `WWW-Authenticate` (RFC 2617 3.2.1). SIP and RTSP share it.
package struct DigestChallenge: Equatable, Sendable {
    package var realm: String
    package var nonce: String
    package var opaque: String?
    /// `auth` where the server wants a quality of protection; nil asks for the RFC 2069 form, which every camera knows.
    package var qop: String?
    package var stale: Bool
    package var algorithm = DigestAlgorithm.md5

    package init(realm: String, nonce: String, opaque: String? = nil, qop: String? = nil, stale: Bool = false) {
        self.realm = realm
        self.nonce = nonce
        self.opaque = opaque
        self.qop = qop
        self.stale = stale
    }

    /// As below, for MD5 alone.
    package init?(parsing headerValue: String) {
        self.init(parsing: headerValue, algorithms: [.md5])
    }

    /// Nil where the scheme is not Digest, there is no nonce, or the algorithm is none of those given.
    package init?(parsing headerValue: String, algorithms: [DigestAlgorithm]) {
        guard let parameters = DigestText.parameters(of: headerValue), let nonce = parameters["nonce"] else {
            return nil
        }
        guard let algorithm = DigestAlgorithm(named: parameters["algorithm"]), algorithms.contains(algorithm) else {
            return nil
        }
        self.algorithm = algorithm
        realm = parameters["realm"] ?? ""
        self.nonce = nonce
        opaque = parameters["opaque"]
        let offered = parameters["qop"].map { HeaderText.split($0[...], separator: UInt8(ascii: ",")) } ?? []
        qop = offered.contains { HeaderText.isEqual(String($0), "auth") } ? "auth" : nil
        stale = parameters["stale"].map { HeaderText.isEqual($0, "true") } ?? false
    }

    /// The header field's value.
    package var headerValue: String {
        var text = "Digest realm=\(DigestText.quote(realm)),nonce=\(DigestText.quote(nonce))"
        text += ",algorithm=\(algorithm.rawValue)"
        if let opaque { text += ",opaque=\(DigestText.quote(opaque))" }
        if let qop { text += ",qop=\"\(qop)\"" }
        if stale { text += ",stale=true" }
        return text
    }
}

/// The user and password that answer a challenge.
package struct DigestCredentials: Sendable, CustomStringConvertible {
    package var username: String
    package var password: String

    package init(username: String, password: String) {
        self.username = username
        self.password = password
    }

    /// Never shows the password.
    package var description: String { "DigestCredentials(\(username), password hidden)" }

    /// The answer to a challenge. `cnonce` and `nonceCount` (1, 2, 3 … per nonce) matter only where the challenge has a qop.
    package func answer(
        challenge: DigestChallenge,
        method: String,
        uri: String,
        cnonce: String = "",
        nonceCount: UInt32 = 1
    ) -> DigestAuthorization {
        var authorization = DigestAuthorization(
            username: username,
            realm: challenge.realm,
            nonce: challenge.nonce,
            uri: uri,
            response: "",
            opaque: challenge.opaque
        )
        authorization.algorithm = challenge.algorithm
        if let qop = challenge.qop {
            authorization.qop = qop
            authorization.cnonce = cnonce
            let digits = String(nonceCount, radix: 16)
            authorization.nonceCount = String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits
        }
        authorization.response = authorization.expectedResponse(method: method, password: password)
        return authorization
    }
}

/// What a client answered: the value of `Authorization`.
package struct DigestAuthorization: Equatable, Sendable {
    package var username: String
    package var realm: String
    package var nonce: String
    package var uri: String
    package var response: String
    package var opaque: String?
    package var qop: String?
    package var cnonce: String?
    /// `nc` as the client wrote it: the digest is over that text, not over the number.
    package var nonceCount: String?
    package var algorithm = DigestAlgorithm.md5

    package init(username: String, realm: String, nonce: String, uri: String, response: String, opaque: String? = nil) {
        self.username = username
        self.realm = realm
        self.nonce = nonce
        self.uri = uri
        self.response = response
        self.opaque = opaque
    }

    /// As below, for MD5 alone.
    package init?(parsing headerValue: String) {
        self.init(parsing: headerValue, algorithms: [.md5])
    }

    /// Nil where the scheme is not Digest, the algorithm none of those given, or a field is missing without which nothing can be
    /// computed.
    package init?(parsing headerValue: String, algorithms: [DigestAlgorithm]) {
        guard let parameters = DigestText.parameters(of: headerValue),
            let nonce = parameters["nonce"],
            let response = parameters["response"]
        else { return nil }
        guard let algorithm = DigestAlgorithm(named: parameters["algorithm"]), algorithms.contains(algorithm) else {
            return nil
        }
        self.algorithm = algorithm
        username = parameters["username"] ?? ""
        realm = parameters["realm"] ?? ""
        uri = parameters["uri"] ?? ""
        self.nonce = nonce
        self.response = response
        opaque = parameters["opaque"]
        qop = parameters["qop"].flatMap { $0.isEmpty ? nil : $0 }
        cnonce = parameters["cnonce"]
        nonceCount = parameters["nc"]
    }

    /// The header field's value.
    package var headerValue: String {
        var text = "Digest username=\(DigestText.quote(username)), realm=\(DigestText.quote(realm))"
        text +=
            ", nonce=\(DigestText.quote(nonce)), uri=\(DigestText.quote(uri)), response=\"\(response)\""
        text += ", algorithm=\(algorithm.rawValue)"
        if let opaque { text += ", opaque=\(DigestText.quote(opaque))" }
        if let qop { text += ", qop=\(qop), nc=\(nonceCount ?? "00000001"), cnonce=\(DigestText.quote(cnonce ?? ""))" }
        return text
    }

    /// Whether the response fits the password. Constant time in the response; hex digits of either case are the same.
    package func isValid(method: String, password: String) -> Bool {
        DigestText.isEqualInConstantTime(response, expectedResponse(method: method, password: password))
    }

    fileprivate func expectedResponse(method: String, password: String) -> String {
        let first = DigestText.hash(algorithm, "\(username):\(realm):\(password)")
        let second = DigestText.hash(algorithm, "\(method):\(uri)")
        guard let qop else { return DigestText.hash(algorithm, "\(first):\(nonce):\(second)") }
        let middle = "\(nonce):\(nonceCount ?? ""):\(cnonce ?? ""):\(qop)"
        return DigestText.hash(algorithm, "\(first):\(middle):\(second)")
    }
}

enum DigestText {
    static func parameters(of headerValue: String) -> HeaderParameters? {
        let value = HeaderText.trim(headerValue[...])
        guard let blank = value.utf8.firstIndex(where: { $0 == 0x20 || $0 == 0x09 }),
            HeaderText.isEqual(String(value[..<blank]), "Digest")
        else { return nil }
        return HeaderParameters(parsing: value[blank...], separator: UInt8(ascii: ","))
    }

    static func quote(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) else {
            return "\"\(text)\""
        }
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
        return String(decoding: bytes, as: UTF8.self)
    }

    static func md5(_ text: String) -> String {
        hex(Insecure.MD5.hash(data: Array(text.utf8)))
    }

    static func hash(_ algorithm: DigestAlgorithm, _ text: String) -> String {
        switch algorithm {
        case .md5: md5(text)
        case .sha256: hex(SHA256.hash(data: Array(text.utf8)))
        }
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(32)
        for byte in bytes {
            digits.append(digit(byte >> 4))
            digits.append(digit(byte & 15))
        }
        return String(decoding: digits, as: UTF8.self)
    }

    private static func digit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? 0x30 + nibble : 0x57 + nibble
    }

    /// Looks at every byte of both, whatever it has found so far.
    static func isEqualInConstantTime(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices {
            difference |= HeaderText.lowercase(left[index]) ^ HeaderText.lowercase(right[index])
        }
        return difference == 0
    }
}
