/// The onMetaData of a publisher (FLV E.5): its own words, in its own order. What an unpackager yields is at most
/// `maximumLength` bytes of AMF0.
package struct StreamMetadata: Hashable, Sendable {
    /// Bytes of AMF0, markers and names included.
    package static let maximumLength = 16 * 1024

    package var properties: [AMF0Property]

    package init(properties: [AMF0Property]) {
        self.properties = properties
    }

    /// The first property of that name.
    package subscript(name: String) -> AMF0Value? {
        properties.first { $0.name == name }?.value
    }
}
