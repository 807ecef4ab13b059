internal import Wire

/// A header field's name. Compact forms (RFC 3261 7.3.3) and any letter case give the same value.
package enum SIPHeaderName: Hashable, Sendable {
    case via, from, to, callID, cseq, contact, contentLength, contentType, contentEncoding, expires, maxForwards
    case userAgent, server, authorization, wwwAuthenticate, proxyAuthenticate, proxyAuthorization
    case route, recordRoute, subject, event, subscriptionState, date, allow, supported, require, warning, reason
    case retryAfter, xGBVer
    /// A name that this product has no use for, as written.
    case other(String)

    package init(_ text: String) {
        self = Self.known(text) ?? .other(text)
    }

    private static func known(_ text: String) -> SIPHeaderName? {
        func named(_ candidate: String, _ name: SIPHeaderName) -> SIPHeaderName? {
            HeaderText.isEqual(text, candidate) ? name : nil
        }
        switch text.utf8.count {
        case 1: return compact(text)
        case 2: return named("To", .to)
        case 3: return named("Via", .via)
        case 4: return named("From", .from) ?? named("CSeq", .cseq) ?? named("Date", .date)
        case 5: return named("Route", .route) ?? named("Event", .event) ?? named("Allow", .allow)
        case 6: return named("Server", .server) ?? named("Reason", .reason)
        case 7:
            return named("Call-ID", .callID) ?? named("Contact", .contact) ?? named("Expires", .expires)
                ?? named("Subject", .subject) ?? named("Warning", .warning) ?? named("Require", .require)
        case 8: return named("X-GB-Ver", .xGBVer)
        case 9: return named("Supported", .supported)
        case 10: return named("User-Agent", .userAgent)
        case 11: return named("Retry-After", .retryAfter)
        case 12:
            return named("Max-Forwards", .maxForwards) ?? named("Content-Type", .contentType)
                ?? named("Record-Route", .recordRoute)
        case 13: return named("Authorization", .authorization)
        case 14: return named("Content-Length", .contentLength)
        case 16: return named("WWW-Authenticate", .wwwAuthenticate) ?? named("Content-Encoding", .contentEncoding)
        case 18:
            return named("Subscription-State", .subscriptionState) ?? named("Proxy-Authenticate", .proxyAuthenticate)
        case 19: return named("Proxy-Authorization", .proxyAuthorization)
        default: return nil
        }
    }

    private static func compact(_ text: String) -> SIPHeaderName? {
        switch text.utf8.first.map(HeaderText.lowercase) {
        case UInt8(ascii: "v"): .via
        case UInt8(ascii: "f"): .from
        case UInt8(ascii: "t"): .to
        case UInt8(ascii: "i"): .callID
        case UInt8(ascii: "m"): .contact
        case UInt8(ascii: "l"): .contentLength
        case UInt8(ascii: "c"): .contentType
        case UInt8(ascii: "e"): .contentEncoding
        case UInt8(ascii: "s"): .subject
        case UInt8(ascii: "o"): .event
        case UInt8(ascii: "k"): .supported
        default: nil
        }
    }

    /// The name as it is sent.
    package var text: String {
        switch self {
        case .via: "Via"
        case .from: "From"
        case .to: "To"
        case .callID: "Call-ID"
        case .cseq: "CSeq"
        case .contact: "Contact"
        case .contentLength: "Content-Length"
        case .contentType: "Content-Type"
        case .contentEncoding: "Content-Encoding"
        case .expires: "Expires"
        case .maxForwards: "Max-Forwards"
        case .userAgent: "User-Agent"
        case .server: "Server"
        case .authorization: "Authorization"
        case .wwwAuthenticate: "WWW-Authenticate"
        case .proxyAuthenticate: "Proxy-Authenticate"
        case .proxyAuthorization: "Proxy-Authorization"
        case .route: "Route"
        case .recordRoute: "Record-Route"
        case .subject: "Subject"
        case .event: "Event"
        case .subscriptionState: "Subscription-State"
        case .date: "Date"
        case .allow: "Allow"
        case .supported: "Supported"
        case .require: "Require"
        case .warning: "Warning"
        case .reason: "Reason"
        case .retryAfter: "Retry-After"
        case .xGBVer: "X-GB-Ver"
        case .other(let text): text
        }
    }
}

package struct SIPHeaderField: Equatable, Sendable {
    package var name: SIPHeaderName
    package var value: String
}

/// Header fields in the order they came. A message has about ten, so a search is a walk.
package struct SIPHeaders: Equatable, Sendable {
    package private(set) var fields: [SIPHeaderField]

    package init() {
        fields = []
    }

    /// The first field of that name. Setting replaces it (or appends one); nil removes every field of that name.
    package subscript(_ name: SIPHeaderName) -> String? {
        get {
            for field in fields where field.name == name {
                return field.value
            }
            return nil
        }
        set {
            guard let newValue else { return fields.removeAll { $0.name == name } }
            if let index = fields.firstIndex(where: { $0.name == name }) {
                fields[index].value = newValue
            } else {
                fields.append(SIPHeaderField(name: name, value: newValue))
            }
        }
    }

    /// The first field of a name outside the known ones, whatever its case.
    package func first(_ name: String) -> String? {
        let known = SIPHeaderName(name)
        guard case .other = known else { return self[known] }
        return fields.first { HeaderText.isEqual($0.name.text, name) }?.value
    }

    package func all(_ name: SIPHeaderName) -> [String] {
        fields.compactMap { $0.name == name ? $0.value : nil }
    }

    package mutating func append(_ name: SIPHeaderName, _ value: String) {
        fields.append(SIPHeaderField(name: name, value: value))
    }

    /// Puts a field before all others: a new top Via.
    package mutating func prepend(_ name: SIPHeaderName, _ value: String) {
        fields.insert(SIPHeaderField(name: name, value: value), at: 0)
    }

    package mutating func reserveCapacity(_ count: Int) {
        fields.reserveCapacity(count)
    }
}

extension SIPHeaders {
    package var callID: String { self[.callID] ?? "" }

    package var cseq: SIPSequence? {
        guard let value = self[.cseq] else { return nil }
        let pieces = value.split(maxSplits: 1) { $0 == " " || $0 == "\t" }
        guard let first = pieces.first, let number = UInt32(first) else { return nil }
        return SIPSequence(number, SIPMethod(pieces.count > 1 ? String(HeaderText.trim(pieces[1])) : ""))
    }

    package var from: SIPAddress? { self[.from].flatMap(SIPAddress.init) }
    package var to: SIPAddress? { self[.to].flatMap(SIPAddress.init) }
    package var topVia: SIPVia? { self[.via].flatMap(SIPVia.init) }

    /// The first contact; nil where there is none or it is `*`.
    package var contact: SIPAddress? {
        guard let value = self[.contact], let first = HeaderText.split(value[...], separator: UInt8(ascii: ",")).first
        else { return nil }
        return SIPAddress(String(first))
    }

    /// Lifetime in seconds: the header field, else the contact's parameter.
    package var expires: Int? {
        if let value = self[.expires] { return Int(HeaderText.trim(value[...])) }
        return contact?.parameters["expires"].flatMap { Int($0) }
    }

    /// Whether the body is of that type, whatever its case and parameters.
    package func hasContentType(_ type: String) -> Bool {
        guard let value = self[.contentType] else { return false }
        let bare = HeaderText.trim(value.prefix { $0 != ";" })
        return HeaderText.isEqual(String(bare), type)
    }
}
