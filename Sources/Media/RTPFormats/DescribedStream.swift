package import Wire

/// A stream as a publisher's ANNOUNCE or a camera's DESCRIBE answer describes it, with what it takes to set it up.
package struct DescribedStream: Hashable, Sendable {
    package var description: StreamDescription
    /// `a=control` of each media, absolute, relative or `*`; nil where a media has none. As many as there are medias.
    package var controls: [String?]
    /// `a=control` before the first media; nil without one.
    package var sessionControl: String?

    /// Reads the body of a request or an answer. An error when it describes no media: it is empty, or no SDP.
    package init(sdp body: [UInt8]) throws(SDPError) {
        try self.init(try SessionDescription.parse(body, takesAnyPort: true))
    }

    /// Keeps the medias that have an RTP payload type; what else is wrong in them is left to their formats.
    package init(_ session: SessionDescription) throws(SDPError) {
        var medias: [RTPMedia] = []
        controls = []
        for section in session.media {
            guard let media = RTPMedia(section) else { continue }
            medias.append(media)
            controls.append(section.attribute("control").flatMap { $0.isEmpty ? nil : $0 })
        }
        guard !medias.isEmpty else { throw .noMedia }
        // IDS uEye sends its only picture as "sendonly": what every media is, is no back channel.
        if medias.allSatisfy(\.isBackChannel) {
            for index in medias.indices { medias[index].isBackChannel = false }
        }
        sessionControl = session.attribute("control").flatMap { $0.isEmpty ? nil : $0 }
        description = StreamDescription(name: session.name.isEmpty ? " " : session.name, media: medias)
    }
}

extension StreamDescription {
    /// What a session description says of a stream, without its controls.
    package init(_ session: SessionDescription) throws(SDPError) {
        self = try DescribedStream(session).description
    }
}

extension RTPMedia {
    private static let directions: Set<String> = ["sendonly", "recvonly", "sendrecv", "inactive"]
    private static let ownAttributes: Set<String> = ["rtpmap", "fmtp", "control"]

    /// Nil for a section without a payload type.
    fileprivate init?(_ section: SessionDescription.Media) {
        let maps = section.attributes.compactMap { $0.name == "rtpmap" ? RTPFormat(map: $0.value ?? "") : nil }
        var types: [UInt8] = []
        for text in section.formats {
            if let type = UInt8(text), type < 128, !types.contains(type) { types.append(type) }
        }
        // TP-Link: "m=application/TP-LINK 0 RTP/AVP smart/1/90000", then "a=rtpmap:95 TP-LINK/90000".
        if types.isEmpty {
            for map in maps where !types.contains(map.payloadType) { types.append(map.payloadType) }
        }
        guard !types.isEmpty else { return nil }
        let parameters = section.attributes.compactMap { $0.name == "fmtp" ? Self.parameters($0.value ?? "") : nil }
        let formats = types.map { type in
            var format =
                maps.first { $0.payloadType == type } ?? RTPFormat(staticType: type)
                ?? RTPFormat(payloadType: type, encoding: "", clockRate: RTPFormat.videoClockRate)
            format.fmtp = parameters.first { $0.type == type }?.text
            // A Hikvision recorder says "m=audio 0 RTP/AVP 104" and "a=fmtp:97 …".
            if format.fmtp == nil, types.count == 1, parameters.count == 1 { format.fmtp = parameters.first?.text }
            return format
        }
        self.init(
            kind: section.kind,
            profile: section.transport,
            formats: formats,
            isBackChannel: section.attribute("sendonly") != nil,
            bandwidth: section.bandwidth,
            attributes: section.attributes.filter {
                !Self.ownAttributes.contains($0.name) && !Self.directions.contains($0.name)
            }
        )
    }

    /// `96 packetization-mode=1;…`
    private static func parameters(_ text: String) -> (type: UInt8, text: String)? {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard let type = parts.first.flatMap({ UInt8($0) }) else { return nil }
        return (type, parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
    }
}
