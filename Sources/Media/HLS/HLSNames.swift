/// Names of the media files of one stream. They become file names and lines of a playlist.
package struct HLSNames: Hashable, Sendable {
    /// As it was published, without slash.
    package var stream: String
    /// Begins the names of fragmented MP4: random for each publication, so that caches never mix two. URL-safe letters only.
    package var prefix: String

    package init(stream: String, prefix: String) {
        self.stream = stream
        self.prefix = prefix
    }

    /// lal's: `<stream>-<unix ms>-<n>.ts`.
    package func transportStream(_ number: Int, wallClock milliseconds: Int64) -> String {
        "\(stream)-\(milliseconds)-\(number).ts"
    }

    package func initialization(_ number: Int) -> String { "\(prefix)-init-\(number).mp4" }
    package func segment(_ number: Int) -> String { "\(prefix)-\(number).m4s" }
    package func part(_ number: Int, _ part: Int) -> String { "\(prefix)-\(number)-\(part).m4s" }

    /// The name as a relative reference: all that is not unreserved is escaped (RFC 3986 2.3), or a stream called `a:b` would be
    /// a scheme and one called `#1` a comment.
    package static func reference(_ name: String) -> String {
        var text = ""
        text.reserveCapacity(name.utf8.count)
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += byte < 16 ? "%0" : "%"
                text += String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}
