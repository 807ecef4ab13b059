import NIOCore

/// What a script message of a publisher says. Only onMetaData is carried on; onCuePoint, onTextData, onFI and the like are
/// for players that nobody has any more.
enum FLVScript: Hashable {
    case metadata(StreamMetadata)
    case other
    /// Cut short, too long, or not AMF0.
    case unreadable

    /// The index of a file may make its metadata long; what is left without it must be within the limit.
    private static let longestMessage = 4 * StreamMetadata.maximumLength

    init(_ payload: ByteBuffer) {
        guard payload.readableBytes <= Self.longestMessage else {
            self = .unreadable
            return
        }
        var reader = AMF0Reader(payload)
        guard case .string(var name) = try? reader.next() else {
            self = .unreadable
            return
        }
        if name == "@setDataFrame", case .string(let inner) = try? reader.next() { name = inner }
        guard name == FLVMetadata.name else {
            self = .other
            return
        }
        switch try? reader.next() {
        case .object(let properties), .ecmaArray(let properties): self.init(properties)
        default: self = .unreadable
        }
    }

    private init(_ properties: [AMF0Property]) {
        let kept = properties.filter { $0.name != "keyframes" }
        var bytes = ByteBuffer()
        AMF0Value.ecmaArray(kept).write(into: &bytes)
        self =
            bytes.readableBytes <= StreamMetadata.maximumLength
            ? .metadata(StreamMetadata(properties: kept)) : .unreadable
    }
}
