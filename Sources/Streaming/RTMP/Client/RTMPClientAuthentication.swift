import Wire

/// How servers ask for a user and a password inside `connect`: Adobe's way and Limelight's. The server rejects a connect with a
/// description that says what it wants; the answer is a query behind the app of the next connect, on a new connection.
struct RTMPClientAuthentication: Sendable {
    private enum Step {
        case nothing
        /// The user was named.
        case named
        /// The challenge was answered.
        case answered
    }

    private let user: String
    private let password: String
    private var step = Step.nothing
    /// What goes behind the app, with its `?`.
    private(set) var query = ""

    init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// - Parameters:
    ///   - description: of the rejection.
    ///   - app: without the query.
    ///   - nonce: eight random hexadecimal digits.
    /// - Returns: whether to connect again; false when the rejection is about something else.
    mutating func answer(_ description: String, app: String, nonce: String) throws(RTMPClientFault) -> Bool {
        let mode: String
        if description.contains("authmod=adobe") {
            mode = "adobe"
        } else if description.contains("authmod=llnw") {
            mode = "llnw"
        } else {
            return false
        }
        guard !user.isEmpty, !password.isEmpty else {
            throw .unauthorized("the server asks for user and password (\(mode)): rtmp://user:password@host/…")
        }
        if description.contains("?reason=authfailed") || step == .answered {
            throw .unauthorized("the server does not take user and password (\(mode))")
        }
        if description.contains("?reason=nosuchuser") {
            throw .unauthorized("the server does not know the user (\(mode))")
        }
        if description.contains("code=403 need auth") {
            guard step == .nothing else {
                throw .unauthorized("the server asks for the user again and again (\(mode))")
            }
            step = .named
            query = "?authmod=\(mode)&user=\(user)"
            return true
        }
        guard let start = description.firstRange(of: "?reason=needauth")?.upperBound else {
            throw .unauthorized("the server's demand for a password (\(mode)) cannot be read")
        }
        let facts = Self.parameters(description[start...])
        step = .answered
        query =
            mode == "adobe"
            ? adobe(salt: facts["salt"] ?? "", opaque: facts["opaque"], challenge: facts["challenge"], nonce: nonce)
            : limelight(serverNonce: facts["nonce"] ?? "", app: app, nonce: nonce)
        return true
    }

    private func adobe(salt: String, opaque: String?, challenge: String?, nonce: String) -> String {
        let secret = Self.base64MD5(user + salt + password)
        let response = Self.base64MD5(secret + (opaque ?? challenge ?? "") + nonce)
        let echo = opaque.map { "&opaque=\($0)" } ?? ""
        return "?authmod=adobe&user=\(user)&challenge=\(nonce)&response=\(response)\(echo)"
    }

    /// RFC 2617 with fixed realm and method; an app without an instance is of the default one.
    private func limelight(serverNonce: String, app: String, nonce: String) -> String {
        let count = "00000001"
        let path = app.contains("/") ? app : app + "/_definst_"
        let who = MD5.hexadecimal("\(user):live:\(password)")
        let what = MD5.hexadecimal("publish:/\(path)")
        let response = MD5.hexadecimal("\(who):\(serverNonce):\(count):\(nonce):auth:\(what)")
        return "?authmod=llnw&user=\(user)&nonce=\(serverNonce)&cnonce=\(nonce)&nc=\(count)&response=\(response)"
    }

    private static func base64MD5(_ text: String) -> String {
        let digits = MD5.hexadecimal(text).compactMap { UInt8($0.hexDigitValue ?? 0) }
        return Base64.encode(stride(from: 0, to: digits.count &- 1, by: 2).map { digits[$0] << 4 | digits[$0 &+ 1] })
    }

    private static func parameters(_ text: Substring) -> [String: String] {
        var parameters: [String: String] = [:]
        for item in text.prefix(while: { $0 != " " && $0 != "]" }).split(separator: "&") {
            guard let equals = item.firstIndex(of: "=") else { continue }
            parameters[String(item[..<equals])] = String(item[item.index(after: equals)...])
        }
        return parameters
    }
}
