import Wire

/// How a server asks who its clients are.
package struct RTSPAuthentication: Hashable, Sendable {
    package enum Scheme: Hashable, Sendable {
        case basic
        /// MD5: SHA-256 besides it breaks FFmpeg.
        case digest
    }

    package var realm = "gbgate"
    /// In the order in which they are offered.
    package var schemes: [Scheme] = [.basic, .digest]
    /// So many answers without valid credentials are forgiven: VLC's dialogue takes three.
    package var toleratedFailures = 3

    package init() {}

    /// lal's `auth_method`: 0 Basic, 1 Digest.
    package init(realm: String, lalMethod: Int) {
        self.realm = realm
        schemes = [lalMethod == 0 ? .basic : .digest]
    }
}

/// Who a client says it is.
package struct RTSPClaim: Sendable {
    package let username: String
    private let proof: Proof

    private enum Proof: Sendable {
        case password(String)
        case digest(DigestAuthorization, method: String)
    }

    init(username: String, password: String) {
        self.username = username
        proof = .password(password)
    }

    init(_ authorization: DigestAuthorization, method: String) {
        username = authorization.username
        proof = .digest(authorization, method: method)
    }

    /// Nil with Digest, which does not tell it.
    package var password: String? {
        if case .password(let password) = proof { return password }
        return nil
    }

    package func isValid(password: String) -> Bool {
        switch proof {
        case .password(let given): ConstantTime.isEqual(given, password)
        case .digest(let authorization, let method): authorization.isValid(method: method, password: password)
        }
    }
}

/// The authentication of one connection (RFC 2617). Its nonce holds for the connection.
struct RTSPAuthenticator: Sendable {
    enum Verdict {
        case accepted
        case challenge(RTSPResponse)
        /// Once too often: the connection is to be closed.
        case refused(RTSPResponse)
    }

    private let configuration: RTSPAuthentication
    private let nonce: String
    private var failures = 0

    init(_ configuration: RTSPAuthentication, nonce: String) {
        self.configuration = configuration
        self.nonce = nonce
    }

    mutating func check(_ request: RTSPRequest, url: RTSPURL?, _ isAllowed: (RTSPClaim) -> Bool) -> Verdict {
        for value in request.headers.all("Authorization").prefix(4) {
            guard let claim = claim(value, request, url), isAllowed(claim) else { continue }
            failures = 0
            return .accepted
        }
        failures &+= 1
        var response = RTSPResponse(.unauthorized)
        guard failures <= configuration.toleratedFailures else { return .refused(response) }
        for scheme in configuration.schemes {
            switch scheme {
            case .basic:
                response.headers.add("WWW-Authenticate", "Basic realm=\(HeaderText.quote(configuration.realm))")
            case .digest:
                let challenge = DigestChallenge(realm: configuration.realm, nonce: nonce)
                response.headers.add("WWW-Authenticate", challenge.headerValue)
            }
        }
        return .challenge(response)
    }

    /// Nil for what is no answer to one of our challenges.
    private func claim(_ value: String, _ request: RTSPRequest, _ url: RTSPURL?) -> RTSPClaim? {
        if configuration.schemes.contains(.basic), let basic = BasicAuthorization(parsing: value) {
            return RTSPClaim(username: basic.username, password: basic.password)
        }
        guard configuration.schemes.contains(.digest),
            let digest = DigestAuthorization(parsing: value),
            ConstantTime.isEqual(digest.nonce, nonce),
            digest.realm == configuration.realm,
            Self.isAbout(digest.uri, url, isSetup: request.method == .setup)
        else { return nil }
        return RTSPClaim(digest, method: request.method.rawValue)
    }

    /// Clients compute the digest over the request's URL; over its path alone (Bosch BVMS); and for SETUP over the base URL, with
    /// a slash at its end (VLC) or without (HappyTime).
    private static func isAbout(_ uri: String, _ url: RTSPURL?, isSetup: Bool) -> Bool {
        guard let url else { return uri == "*" }
        let named = (try? RTSPURL(uri))?.pathAndQuery ?? uri
        let asked = url.pathAndQuery
        if isEqual(named, asked) { return true }
        guard isSetup, let base = (try? RTSPTrackURL(url))?.base ?? parent(url) else { return false }
        return isEqual(named, base.pathAndQuery)
    }

    /// Of a publisher's SETUP, whose controls are its own.
    private static func parent(_ url: RTSPURL) -> RTSPURL? {
        guard let slash = url.path.lastIndex(of: "/") else { return nil }
        var base = url
        base.path = String(url.path[..<slash])
        return base
    }

    private static func isEqual(_ left: String, _ right: String) -> Bool {
        func trimmed(_ text: String) -> Substring { text.last == "/" ? text.dropLast() : text[...] }
        return trimmed(left) == trimmed(right)
    }
}
