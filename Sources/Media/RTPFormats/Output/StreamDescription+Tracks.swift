import Wire

extension StreamDescription {
    /// How a stream of frames is described: video first, then audio. Nil when neither can be carried.
    package init?(video: VideoParameters?, audio: AudioParameters?) {
        var media: [RTPMedia] = []
        if let format = video.flatMap(RTPFormat.init(video:)) {
            media.append(RTPMedia(kind: "video", formats: [format]))
        }
        if let format = audio.flatMap(RTPFormat.init(audio:)) {
            media.append(RTPMedia(kind: "audio", formats: [format]))
        }
        guard !media.isEmpty else { return nil }
        self.init(media: media)
    }

    /// Whether a reader that was told `earlier` can go on with this one: the same medias stand at the front, in the same
    /// formats. Parameter sets of H.264 and H.265 may differ, for they go in-band, and medias may have come at the end.
    package func isCompatible(with earlier: StreamDescription) -> Bool {
        guard media.count >= earlier.media.count else { return false }
        return zip(media, earlier.media).allSatisfy { $0.isCompatible(with: $1) }
    }
}

extension RTPMedia {
    fileprivate func isCompatible(with earlier: RTPMedia) -> Bool {
        guard kind == earlier.kind, profile == earlier.profile, isBackChannel == earlier.isBackChannel,
            formats.count == earlier.formats.count
        else { return false }
        return zip(formats, earlier.formats).allSatisfy { new, old in
            new.payloadType == old.payloadType && new.clockRate == old.clockRate && new.isNamed(old.encoding)
                && (new.channels ?? 1) == (old.channels ?? 1) && (new.hasParameterSetsInBand || new.fmtp == old.fmtp)
        }
    }
}

extension RTPFormat {
    /// Whether the encoding has that name; names have no case (RFC 4855 3).
    package func isNamed(_ name: String) -> Bool {
        encoding.utf8.count == name.utf8.count
            && zip(encoding.utf8, name.utf8).allSatisfy { Self.lowercase($0) == Self.lowercase($1) }
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    fileprivate var hasParameterSetsInBand: Bool {
        ["H264", "H265", "AV1", "VP9", "VP8"].contains { isNamed($0) }
    }

    /// The value of a parameter of `a=fmtp`; names have no case.
    func parameter(_ name: String) -> Substring? {
        guard let fmtp else { return nil }
        for part in fmtp.split(separator: ";") {
            let part = part.drop { $0 == " " }
            guard let equals = part.firstIndex(of: "=") else { continue }
            let key = part[..<equals]
            guard key.utf8.count == name.utf8.count,
                zip(key.utf8, name.utf8).allSatisfy({ Self.lowercase($0) == Self.lowercase($1) })
            else { continue }
            var value = part[part.index(after: equals)...]
            while value.last == " " { value.removeLast() }
            return value
        }
        return nil
    }

    /// Payload types are those of lal; nil while a needed parameter set is missing.
    init?(video: VideoParameters) {
        switch video.codec {
        case .h264:
            guard let sps = video.sps.first, sps.count >= 4, !video.pps.isEmpty else { return nil }
            let sets = (video.sps + video.pps).map(Base64.encode).joined(separator: ",")
            self.init(
                payloadType: 96,
                encoding: "H264",
                clockRate: 90_000,
                fmtp: "packetization-mode=1; sprop-parameter-sets=\(sets); profile-level-id=\(Self.hex(sps[1...3]))"
            )
        case .h265:
            guard video.isComplete else { return nil }
            let lists = [("vps", video.vps), ("sps", video.sps), ("pps", video.pps)].map { name, units in
                "sprop-\(name)=\(units.map(Base64.encode).joined(separator: ","))"
            }
            self.init(
                payloadType: 98,
                encoding: "H265",
                clockRate: 90_000,
                fmtp: lists.joined(separator: "; ")
            )
        case .av1:
            self.init(payloadType: 99, encoding: "AV1", clockRate: 90_000, fmtp: Self.av1Parameters(video.record))
        case .vp9:
            self.init(payloadType: 100, encoding: "VP9", clockRate: 90_000, fmtp: Self.vp9Parameters(video.record))
        }
    }

    /// Nil when the rate or the configuration is not known.
    init?(audio: AudioParameters) {
        let channels = max(audio.channels, 1)
        switch audio.codec {
        case .aac:
            guard audio.sampleRate > 0, !audio.configuration.isEmpty else { return nil }
            let configuration = Self.hex(audio.configuration[...])
            self.init(
                payloadType: 97,
                encoding: "MPEG4-GENERIC",
                clockRate: audio.sampleRate,
                channels: channels,
                fmtp: "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
                    + "config=\(configuration)"
            )
        case .g711a, .g711u:
            guard audio.sampleRate > 0 else { return nil }
            let isLawA = audio.codec == .g711a
            // RFC 3551 6: the static numbers are for one channel of 8 kHz.
            let isStatic = audio.sampleRate == 8000 && channels == 1
            self.init(
                payloadType: isStatic ? (isLawA ? 8 : 0) : (isLawA ? 102 : 103),
                encoding: audio.codec.rawValue,
                clockRate: audio.sampleRate,
                channels: isStatic ? nil : channels
            )
        case .opus:
            // RFC 7587 7: the rtpmap says 48000/2 whatever the stream has.
            self.init(
                payloadType: 101,
                encoding: "opus",
                clockRate: 48_000,
                channels: 2,
                fmtp: "sprop-stereo=\(channels > 1 ? 1 : 0)"
            )
        case .mp3:
            self.init(payloadType: 14, encoding: "MPA", clockRate: 90_000)
        }
    }

    /// AV1 RTP 7.2.1, out of av1C (AV1 ISOBMFF 2.3.3).
    private static func av1Parameters(_ record: [UInt8]) -> String? {
        guard record.count >= 4, record[0] == 0x81 else { return nil }
        return "profile=\(record[1] >> 5); level-idx=\(record[1] & 0x1F); tier=\(record[2] >> 7)"
    }

    /// RFC 9628 6, out of vpcC behind its version and flags.
    private static func vp9Parameters(_ record: [UInt8]) -> String? {
        guard record.count >= 8, record[4] <= 3 else { return nil }
        return "profile-id=\(record[4])"
    }

    /// Upper case, as GStreamer and many cameras write it; some readers know no other.
    private static func hex(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
