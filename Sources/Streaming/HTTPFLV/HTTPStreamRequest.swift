/// What a media HTTP request asks for: `/app/stream.flv?query`, plain or over WebSocket. The application may have several path
/// items, or none.
package struct HTTPStreamRequest: Hashable, Sendable {
    /// The stream without the extension.
    package var address: StreamAddress
    /// Lower case, without the dot: `flv`, later `ts`, `m3u8`, `mp4`.
    package var fileExtension: String

    package enum Fault: Error, Hashable, Sendable {
        /// The last path item has no extension, or nothing before it.
        case noExtension
        /// A `%` that two hexadecimal digits do not follow, or bytes that are no UTF-8.
        case badEncoding
        case name(StreamAddress.Fault)

        package var explanation: String {
            switch self {
            case .noExtension: "the path must end in a stream name with an extension, as in /live/camera1.flv"
            case .badEncoding: "the path is not percent-encoded UTF-8"
            case .name(let fault): fault.explanation
            }
        }
    }

    /// - Parameter target: the request target as it stands in the request line; an absolute URL is taken too (RFC 9112 3.2.2).
    package init(target: String) throws(Fault) {
        let target = RequestTarget(target)
        var items: [String]
        do throws(RequestTarget.BadEncoding) {
            items = try RequestTarget.items(of: target.path)
        } catch {
            throw .badEncoding
        }
        for item in items where item.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) {
            throw .name(.forbidden)
        }
        guard let last = items.popLast(), let dot = last.lastIndex(of: "."), dot != last.startIndex else {
            throw .noExtension
        }
        fileExtension = last[last.index(after: dot)...].lowercased()
        guard !fileExtension.isEmpty else { throw .noExtension }
        items.append(String(last[..<dot]))
        do throws(StreamAddress.Fault) {
            address = try StreamAddress(path: items.joined(separator: "/"))
        } catch {
            throw .name(error)
        }
        address.query = String(target.query)
    }
}
