/// A media playlist as a player reads it (RFC 8216bis 4).
struct HLSParsedPlaylist {
    struct Part {
        var uri: String
        var duration: Double
        var isIndependent: Bool
    }

    struct Segment {
        var number = 0
        var uri = ""
        var duration = 0.0
        /// As it is written.
        var durationText = ""
        var isDiscontinuous = false
        var discontinuities = 0
        var map: String?
        var date: String?
        var parts: [Part] = []
    }

    var version = 1
    var targetDuration = 0
    var partTarget: Double?
    var control: [String: String] = [:]
    var sequence = 0
    var discontinuitySequence = 0
    var skipped = 0
    var isIndependent = false
    var hasEnded = false
    var hint: String?
    var reports: [[String: String]] = []
    var segments: [Segment] = []
    /// The segment that is not whole yet.
    var open: Segment?
    var unknown: [String] = []

    init(_ text: String) {
        var segment = Segment()
        var map: String?
        var discontinuities: Int?
        func attributes(_ text: Substring) -> [String: String] {
            var result: [String: String] = [:]
            var rest = text
            while let equals = rest.firstIndex(of: "=") {
                let name = String(rest[..<equals])
                rest = rest[rest.index(after: equals)...]
                if rest.first == "\"" {
                    rest.removeFirst()
                    result[name] = String(rest.prefix { $0 != "\"" })
                    rest = rest.drop { $0 != "\"" }.dropFirst().drop { $0 == "," }
                } else {
                    result[name] = String(rest.prefix { $0 != "," })
                    rest = rest.drop { $0 != "," }.dropFirst()
                }
            }
            return result
        }
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            let value = parts.count > 1 ? parts[1] : ""
            switch String(parts[0]) {
            case "#EXTM3U", "#EXT-X-ALLOW-CACHE": break
            case "#EXT-X-VERSION": version = Int(value) ?? 0
            case "#EXT-X-INDEPENDENT-SEGMENTS": isIndependent = true
            case "#EXT-X-TARGETDURATION": targetDuration = Int(value) ?? 0
            case "#EXT-X-SERVER-CONTROL": control = attributes(value)
            case "#EXT-X-PART-INF": partTarget = attributes(value)["PART-TARGET"].flatMap { Double($0) }
            case "#EXT-X-MEDIA-SEQUENCE": sequence = Int(value) ?? -1
            case "#EXT-X-DISCONTINUITY-SEQUENCE": discontinuitySequence = Int(value) ?? -1
            case "#EXT-X-SKIP": skipped = attributes(value)["SKIPPED-SEGMENTS"].flatMap { Int($0) } ?? 0
            case "#EXT-X-DISCONTINUITY": segment.isDiscontinuous = true
            case "#EXT-X-MAP": map = attributes(value)["URI"]
            case "#EXT-X-PROGRAM-DATE-TIME": segment.date = String(value)
            case "#EXT-X-PART":
                let fields = attributes(value)
                segment.parts.append(
                    Part(
                        uri: fields["URI"] ?? "",
                        duration: fields["DURATION"].flatMap { Double($0) } ?? -1,
                        isIndependent: fields["INDEPENDENT"] == "YES"
                    )
                )
            case "#EXTINF":
                segment.durationText = String(value.prefix { $0 != "," })
                segment.duration = Double(segment.durationText) ?? -1
            case "#EXT-X-PRELOAD-HINT": hint = attributes(value)["URI"]
            case "#EXT-X-RENDITION-REPORT": reports.append(attributes(value))
            case "#EXT-X-ENDLIST": hasEnded = true
            default:
                guard !line.hasPrefix("#") else {
                    unknown.append(String(line))
                    continue
                }
                segment.uri = String(line)
                segment.map = map
                segment.number = sequence + skipped + segments.count
                let before = discontinuities ?? discontinuitySequence
                segment.discontinuities = before + (segment.isDiscontinuous ? 1 : 0)
                discontinuities = segment.discontinuities
                segments.append(segment)
                segment = Segment()
            }
        }
        if !segment.parts.isEmpty || segment.date != nil {
            segment.map = map
            segment.number = sequence + skipped + segments.count
            open = segment
        }
    }
}
