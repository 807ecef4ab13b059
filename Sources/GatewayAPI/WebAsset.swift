internal import CWebAssets
package import NIOCore

/// A file of the web console, as it is embedded in the binary.
package struct WebAsset: Sendable {
    package let name: String
    package let contentType: String
    package let body: ByteBuffer
    /// The same by gzip; nil where that is not less.
    package let compressed: ByteBuffer?
    /// Changes with the content.
    package let tag: String

    /// Of ``compressed``: a strong tag is of the bytes that are sent (RFC 9110 8.8.3.3).
    var compressedTag: String { "\"\(tag.dropFirst().dropLast())-gzip\"" }

    /// All files, by name.
    package static let all: [String: WebAsset] = {
        let assets = UnsafeBufferPointer(start: cw_assets, count: cw_asset_count).map { WebAsset($0) }
        return Dictionary(assets.map { ($0.name, $0) }) { first, _ in first }
    }()

    private init(_ asset: cw_asset) {
        name = String(cString: asset.name)
        contentType = String(cString: asset.content_type)
        body = ByteBuffer(bytes: UnsafeBufferPointer(start: asset.bytes, count: asset.length))
        let gzip = Gzip.compress(Array(body.readableBytesView)).map { ByteBuffer(bytes: $0) }
        compressed = gzip.flatMap { [body] in $0.readableBytes < body.readableBytes ? $0 : nil }
        tag = "\"\(Self.hash(body.readableBytesView))\""
    }

    /// FNV-1a: it tells versions of one file apart, and nobody but us writes them.
    private static func hash(_ bytes: ByteBufferView) -> String {
        let hash = bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return String(hash, radix: 16)
    }

    /// The file of a path. `/lal.html` is where lal has its page.
    static func find(_ path: String) -> WebAsset? {
        switch path {
        case "/", "/lal.html": all["index.html"]
        case "/favicon.ico": all["icon.svg"]
        default: path.first == "/" ? all[String(path.dropFirst())] : nil
        }
    }

    /// Whether another site's page may load it: the player is made for that.
    var isShared: Bool { name == "player.js" }

    /// Whether a client that names what it has (`If-None-Match`, RFC 9110 13.1.2) has this one.
    func matches(_ ifNoneMatch: String) -> Bool {
        ifNoneMatch.split(separator: ",").contains { candidate in
            var text = candidate.drop { $0 == " " || $0 == "\t" }
            while text.last == " " || text.last == "\t" { text.removeLast() }
            // A proxy that compressed it may have made the tag a weak one.
            return [tag, compressedTag].contains { text == $0 || text == "W/\($0)" } || text == "*"
        }
    }
}
