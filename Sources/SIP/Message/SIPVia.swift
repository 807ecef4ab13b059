package import Wire

/// One hop of `Via`. Its branch names the transaction.
package struct SIPVia: Equatable, Sendable {
    /// `SIP/2.0/UDP` as written.
    package var transport: String
    /// Host and port as written.
    package var sentBy: String
    package var parameters: HeaderParameters

    package init(transport: SIPFlow.Transport, sentBy: String, branch: String) {
        self.transport = transport == .tcp ? "SIP/2.0/TCP" : "SIP/2.0/UDP"
        self.sentBy = sentBy
        parameters = HeaderParameters([HeaderParameter("rport"), HeaderParameter("branch", branch)])
    }

    package init?(_ value: String) {
        let text = HeaderText.trim(value[...])
        guard let blank = text.utf8.firstIndex(where: { $0 == 0x20 || $0 == 0x09 }) else { return nil }
        transport = String(text[..<blank])
        let rest = HeaderText.trim(text[blank...])
        let end = rest.utf8.firstIndex(of: UInt8(ascii: ";")) ?? rest.endIndex
        sentBy = String(HeaderText.trim(rest[..<end]))
        parameters = HeaderParameters(parsing: rest[end...], separator: UInt8(ascii: ";"))
        if sentBy.isEmpty { return nil }
    }

    /// The magic cookie of RFC 3261 8.1.1.7; many cameras write something else.
    package static let cookie = "z9hG4bK"

    package var branch: String? { parameters["branch"].flatMap { $0.isEmpty ? nil : $0 } }

    package var headerValue: String {
        var text = "\(transport) \(sentBy)"
        for parameter in parameters.items {
            text += ";" + parameter.name
            if let value = parameter.value { text += "=" + value }
        }
        return text
    }

    /// What the answer carries: `received`, and `rport` filled where it was asked for (RFC 3581 4).
    package func observed(from flow: SIPFlow) -> SIPVia {
        var via = self
        if via.parameters["rport"] != nil {
            via.parameters.set("rport", String(flow.remotePort))
            via.parameters.set("received", flow.remoteHost)
        } else if SIPURI.hostAndPort(sentBy[...]).host != flow.remoteHost {
            via.parameters.set("received", flow.remoteHost)
        }
        return via
    }
}
