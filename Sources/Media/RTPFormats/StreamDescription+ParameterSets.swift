import Wire

extension StreamDescription {
    /// The same with the parameter sets of a picture in the `a=fmtp` of its media, as they have changed in the stream.
    package func with(parameterSetsOf video: VideoParameters) -> StreamDescription {
        guard let fresh = StreamDescription(video: video, audio: nil)?.media.first?.formats.first,
            let index = media.firstIndex(where: { media in
                media.formats.first.map { HeaderText.isEqual($0.encoding, fresh.encoding) } ?? false
            })
        else { return self }
        var changed = self
        changed.media[index].formats[0].fmtp = Self.merged(media[index].formats[0].fmtp, fresh.fmtp)
        return changed
    }

    private static func merged(_ old: String?, _ fresh: String?) -> String? {
        let separator = UInt8(ascii: ";")
        var parameters = HeaderParameters(parsing: (old ?? "")[...], separator: separator)
        for item in HeaderParameters(parsing: (fresh ?? "")[...], separator: separator).items
        where item.name.hasPrefix("sprop-") || item.name == "profile-level-id" {
            parameters.set(item.name, item.value)
        }
        let items = parameters.items.map { item in item.value.map { "\(item.name)=\($0)" } ?? item.name }
        return items.isEmpty ? nil : items.joined(separator: ";")
    }
}
