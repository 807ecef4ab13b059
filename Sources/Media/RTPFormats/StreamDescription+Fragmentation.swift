import Wire

extension StreamDescription {
    /// The same for packets that may be cut up on their way: H.264 in single units (`packetization-mode=0`, or none named) is one of the
    /// forms of mode 1, and fragments are not of mode 0 (RFC 6184 6.2).
    package var allowingFragments: StreamDescription {
        var changed = self
        for media in changed.media.indices {
            for format in changed.media[media].formats.indices
            where HeaderText.isEqual(changed.media[media].formats[format].encoding, "H264") {
                let fmtp = changed.media[media].formats[format].fmtp ?? ""
                var parameters = HeaderParameters(parsing: fmtp[...], separator: UInt8(ascii: ";"))
                guard ["", "0"].contains(parameters["packetization-mode"] ?? "") else { continue }
                parameters.set("packetization-mode", "1")
                let items = parameters.items.map { item in item.value.map { "\(item.name)=\($0)" } ?? item.name }
                changed.media[media].formats[format].fmtp = items.joined(separator: ";")
            }
        }
        return changed
    }
}
