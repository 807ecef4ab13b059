package import Wire

/// The facts of a camera's 200 to an INVITE (4.1, 4.2). What cameras leak in SDP (`a=password`) is not among them.
package struct MediaAnswer: Hashable, Sendable {
    package enum Setup: String, Hashable, Sendable {
        case active
        case passive
        case actpass
    }

    /// Where the camera says it sends from: often a private address, so never a filter. Empty when not told.
    package var host: String
    package var port: UInt16
    package var isTCP: Bool
    /// Only TCP has it; Hikvision also writes it into UDP answers.
    package var setup: Setup?
    /// The SSRC that the camera announces; nil when absent, and for `y=0000000000`, which says nothing.
    package var ssrc: SSRC?
    /// Payload types in the order of preference.
    package var payloadTypes: [UInt8]
    /// What `a=rtpmap` says of them; it overrides the usual meaning of a number.
    package var rtpMaps: [SessionDescription.RTPMap]
    /// `a=filesize` of a download, in bytes; nil when 0 or absent.
    package var fileSize: UInt64?

    package init(
        host: String,
        port: UInt16,
        isTCP: Bool = false,
        setup: Setup? = nil,
        ssrc: SSRC? = nil,
        payloadTypes: [UInt8] = [96],
        rtpMaps: [SessionDescription.RTPMap] = [],
        fileSize: UInt64? = nil
    ) {
        self.host = host
        self.port = port
        self.isTCP = isTCP
        self.setup = setup
        self.ssrc = ssrc
        self.payloadTypes = payloadTypes
        self.rtpMaps = rtpMaps
        self.fileSize = fileSize
    }
}

package enum MediaAnswerError: Error, Hashable, Sendable, CustomStringConvertible {
    case sdp(SDPError)
    /// The camera would send its maker's own format, which nobody else can read: BYE, and set it to PS.
    case privateFormat(String)
    /// Port 0: the camera refused the media while accepting the call (RFC 3264 section 6).
    case refused

    package var description: String {
        switch self {
        case .sdp(let error): "the answer cannot be read: \(error)"
        case .privateFormat(let name):
            "the camera answers with the private stream format \(name): set its GB28181 stream to PS"
        case .refused: "the camera answers with media port 0: it refuses the stream"
        }
    }
}

extension MediaAnswer {
    /// Reads the body of a 200. The first video section counts, else the first.
    package static func parse(_ body: [UInt8]) throws(MediaAnswerError) -> MediaAnswer {
        let description: SessionDescription
        do {
            description = try SessionDescription.parse(body)
        } catch {
            throw .sdp(error)
        }
        guard let media = description.media.first(where: { $0.kind == "video" }) ?? description.media.first else {
            throw .sdp(.noMedia)
        }
        let maps = media.rtpMaps
        if let map = maps.first(where: { ["DAHUA", "HIKVISION"].contains($0.encoding.uppercased()) }),
            !maps.contains(where: { $0.encoding.uppercased() == "PS" })
        {
            throw .privateFormat(map.encoding)
        }
        let connection = media.connection ?? description.connection
        let setup = media.attribute("setup") ?? description.attribute("setup")
        let isTCP = media.transport.uppercased().contains("TCP")
        // A camera that connects to us has no port to tell (RFC 4145 section 4.1 wants 9, some write 0).
        guard media.port != 0 || (isTCP && setup?.lowercased() != "passive") else { throw .refused }
        let size = media.attribute("filesize") ?? description.attribute("filesize")
        return MediaAnswer(
            host: connection?.host ?? description.origin.host,
            port: media.port,
            isTCP: isTCP,
            setup: setup.flatMap { Setup(rawValue: $0.lowercased()) },
            ssrc: description.other("y").flatMap { SSRC($0) }.flatMap { $0.value == 0 ? nil : $0 },
            payloadTypes: media.formats.compactMap { UInt8($0) }.filter { $0 < 128 },
            rtpMaps: maps,
            fileSize: size.flatMap { UInt64($0) }.flatMap { $0 == 0 ? nil : $0 }
        )
    }
}
