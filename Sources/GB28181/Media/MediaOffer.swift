package import Wire

/// How media travels between the camera and us.
package enum MediaTransport: String, Hashable, Sendable {
    case udp
    /// The camera connects to our port.
    case tcpPassive
    /// We connect to the port that the camera answers.
    case tcpActive
}

/// What the platform offers in an INVITE (4.1, 4.3).
package struct MediaOffer: Hashable, Sendable {
    package enum Purpose: Hashable, Sendable {
        case play
        /// Times in seconds since 1970.
        case playback(start: UInt64, end: UInt64)
        case download(start: UInt64, end: UInt64, speed: Int)
    }

    package var channelID: String
    package var platformID: String
    /// An address that the camera can reach, not merely one of ours.
    package var host: String
    /// For TCP active the port we will connect from: some cameras compare it.
    package var port: UInt16
    package var transport: MediaTransport
    package var ssrc: SSRC
    package var purpose: Purpose
    /// Old equipment answers 488 to a long list of payload types: offer PS alone then.
    package var onlyPS: Bool
    /// `a=streamnumber` (2022: 0 main, 1 sub) or a vendor's own selection; none for most devices.
    package var streamSelection: SessionDescription.Attribute?

    package init(
        channelID: String,
        platformID: String,
        host: String,
        port: UInt16,
        transport: MediaTransport,
        ssrc: SSRC,
        purpose: Purpose = .play,
        onlyPS: Bool = false,
        streamSelection: SessionDescription.Attribute? = nil
    ) {
        self.channelID = channelID
        self.platformID = platformID
        self.host = host
        self.port = port
        self.transport = transport
        self.ssrc = ssrc
        self.purpose = purpose
        self.onlyPS = onlyPS
        self.streamSelection = streamSelection
    }

    package static let contentType = "Application/SDP"

    /// The Subject header, without which some cameras refuse. Its sequence is the SSRC: a repeated one would mean
    /// "replace the stream of before" (annex K).
    package var subject: SubjectHeader {
        SubjectHeader(senderID: channelID, senderSequence: ssrc.text, receiverID: platformID, receiverSequence: "0")
    }

    package var description: SessionDescription {
        var section = SessionDescription.Media(
            kind: "video",
            port: port,
            transport: transport == .udp ? "RTP/AVP" : "TCP/RTP/AVP",
            formats: onlyPS ? ["96"] : ["96", "97", "98", "99"]
        )
        section.attributes.append(.init("recvonly"))
        switch transport {
        case .udp: break
        case .tcpPassive: section.attributes += [.init("setup", "passive"), .init("connection", "new")]
        case .tcpActive: section.attributes += [.init("setup", "active"), .init("connection", "new")]
        }
        section.attributes.append(.init("rtpmap", "96 PS/90000"))
        if !onlyPS {
            // 99 is SVAC in the standard and H.265 in the field.
            section.attributes += ["97 MPEG4/90000", "98 H264/90000", "99 H265/90000"].map { .init("rtpmap", $0) }
        }
        if let streamSelection { section.attributes.append(streamSelection) }

        var name = "Play"
        var uri: String?
        var time = SessionDescription.Time(start: 0, end: 0)
        switch purpose {
        case .play: break
        case .playback(let start, let end):
            name = "Playback"
            uri = "\(channelID):0"
            time = .init(start: start, end: end)
        case .download(let start, let end, let speed):
            name = "Download"
            uri = "\(channelID):0"
            time = .init(start: start, end: end)
            section.attributes.append(.init("downloadspeed", String(speed)))
        }
        section.others = [.init("y", ssrc.text), .init("f", "")]
        return SessionDescription(
            origin: .init(user: channelID, host: host),
            name: name,
            uri: uri,
            connection: .init(host: host),
            times: [time],
            media: [section]
        )
    }

    /// The body of the INVITE.
    package var body: [UInt8] { description.serialized() }
}

/// `Subject: sender:sequence,receiver:sequence` (annex L).
package struct SubjectHeader: Hashable, Sendable {
    package var senderID: String
    package var senderSequence: String
    package var receiverID: String
    package var receiverSequence: String

    package init(senderID: String, senderSequence: String, receiverID: String, receiverSequence: String) {
        self.senderID = senderID
        self.senderSequence = senderSequence
        self.receiverID = receiverID
        self.receiverSequence = receiverSequence
    }

    /// Reads a header's value; sequences may be missing.
    package init?(_ text: String) {
        let sides = text.split(separator: ",", maxSplits: 1).map { side in
            side.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0).trimmed }
        }
        guard sides.count == 2, let sender = sides[0].first, let receiver = sides[1].first else { return nil }
        self.init(
            senderID: sender,
            senderSequence: sides[0].count > 1 ? sides[0][1] : "0",
            receiverID: receiver,
            receiverSequence: sides[1].count > 1 ? sides[1][1] : "0"
        )
    }

    package var text: String { "\(senderID):\(senderSequence),\(receiverID):\(receiverSequence)" }
}
