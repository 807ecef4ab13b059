/// A dialog (RFC 3261 12): what every request inside it repeats. It can be stored and taken up again after a restart.
package struct SIPDialog: Equatable, Sendable, Codable {
    package var callID: String
    /// From and To of our requests without their tags, as URIs.
    package var localURI: String
    package var localTag: String
    package var remoteURI: String
    /// Empty where the peer gave none.
    package var remoteTag: String
    /// CSeq number of our last request.
    package var localSequence: UInt32
    /// CSeq number of the peer's last request; nil before the first.
    package var remoteSequence: UInt32?
    /// Request-URI of our requests: the peer's Contact. Often a private address, so packets go to the observed flow instead.
    package var remoteTarget: String
    package var routes: [String]

    /// The dialog that a 2xx to our INVITE makes.
    package init?(invite: SIPRequest, response: SIPResponse) {
        guard let from = invite.headers.from, let to = response.headers.to ?? invite.headers.to,
            let sequence = invite.headers.cseq
        else { return nil }
        callID = invite.headers.callID
        localURI = from.uri.text
        localTag = from.tag ?? ""
        remoteURI = to.uri.text
        remoteTag = to.tag ?? ""
        localSequence = sequence.number
        remoteTarget = response.headers.contact?.uri.text ?? invite.uri
        routes = response.headers.all(.recordRoute).reversed()
    }

    /// The dialog that our 2xx to a peer's INVITE makes.
    package init?(answering invite: SIPRequest, localTag: String) {
        guard let from = invite.headers.from, let to = invite.headers.to, let sequence = invite.headers.cseq else {
            return nil
        }
        callID = invite.headers.callID
        localURI = to.uri.text
        self.localTag = localTag
        remoteURI = from.uri.text
        remoteTag = from.tag ?? ""
        localSequence = 0
        remoteSequence = sequence.number
        remoteTarget = invite.headers.contact?.uri.text ?? from.uri.text
        routes = invite.headers.all(.recordRoute)
    }

    /// The next request of ours: INFO, BYE. CSeq counts up.
    package mutating func request(_ method: SIPMethod, body: [UInt8] = [], contentType: String? = nil) -> SIPRequest {
        localSequence &+= 1
        return make(method, sequence: localSequence, body: body, contentType: contentType)
    }

    /// The ACK of the 2xx to the INVITE with that CSeq number.
    package func acknowledgement(sequence: UInt32) -> SIPRequest {
        make(.ack, sequence: sequence, body: [], contentType: nil)
    }

    private func make(_ method: SIPMethod, sequence: UInt32, body: [UInt8], contentType: String?) -> SIPRequest {
        var request = SIPRequest(method: method, uri: remoteTarget, body: body)
        request.headers.append(.from, Self.address(localURI, tag: localTag))
        request.headers.append(.to, Self.address(remoteURI, tag: remoteTag))
        request.headers.append(.callID, callID)
        request.headers.append(.cseq, SIPSequence(sequence, method).headerValue)
        for route in routes { request.headers.append(.route, route) }
        if let contentType { request.headers.append(.contentType, contentType) }
        return request
    }

    private static func address(_ uri: String, tag: String) -> String {
        tag.isEmpty ? "<\(uri)>" : "<\(uri)>;tag=\(tag)"
    }

    /// How surely a peer's request belongs to this dialog.
    package enum Match: Int, Comparable, Sendable {
        case none
        /// Call-ID only: some cameras lose the tags.
        case callID
        case tags

        package static func < (left: Match, right: Match) -> Bool { left.rawValue < right.rawValue }
    }

    package func match(_ request: SIPRequest) -> Match {
        guard request.headers.callID == callID else { return .none }
        let isOurs = request.headers.to?.tag ?? "" == localTag
        let isTheirs = remoteTag.isEmpty || request.headers.from?.tag ?? "" == remoteTag
        return isOurs && isTheirs ? .tags : .callID
    }
}
