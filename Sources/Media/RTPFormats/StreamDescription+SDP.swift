package import Wire

extension StreamDescription {
    /// The stream as we describe it to a reader, or announce it. Controls are our own: `trackID=` and the media's number.
    ///
    /// - Parameters:
    ///   - origin: `o=`, of the server and of this state of the stream.
    ///   - multicast: group and time to live, `224.1.0.1/127`; nil for unicast.
    ///   - includesBackChannel: the reader asked for medias that it may send to. Numbers stay as they are without them.
    package func sessionDescription(
        origin: SessionDescription.Origin = SessionDescription.Origin(),
        multicast: String? = nil,
        includesBackChannel: Bool = false
    ) -> SessionDescription {
        var session = SessionDescription(
            origin: origin,
            // RFC 4566 5.3: a single blank for a session without a name.
            name: name.isEmpty ? " " : name,
            // Readers that descend from Darwin Streaming Server look for it here, and find nothing in the medias.
            connection: SessionDescription.Connection(host: multicast ?? "0.0.0.0"),
            times: [SessionDescription.Time(start: 0, end: 0)],
            attributes: [SessionDescription.Attribute("control", "*")]
        )
        for (index, media) in media.enumerated() where includesBackChannel || !media.isBackChannel {
            session.media.append(media.section(control: Self.control(ofMedia: index)))
        }
        return session
    }

    /// `a=control` of a media: its number behind `trackID=`, the form that a Grandstream GXV3500 needs.
    package static func control(ofMedia index: Int) -> String {
        "trackID=\(index)"
    }
}

extension RTPMedia {
    fileprivate func section(control: String) -> SessionDescription.Media {
        var all: [SessionDescription.Attribute] = []
        for format in formats {
            if let map = format.map { all.append(.init("rtpmap", map)) }
            if let fmtp = format.fmtp { all.append(.init("fmtp", "\(format.payloadType) \(fmtp)")) }
        }
        all += attributes
        if isBackChannel { all.append(.init("sendonly")) }
        all.append(.init("control", control))
        return SessionDescription.Media(
            kind: kind,
            port: 0,
            transport: profile,
            formats: formats.map { String($0.payloadType) },
            bandwidth: bandwidth,
            attributes: all
        )
    }
}
