/// A file of a recording: in the folder of its format, or one below it. It cannot name anything outside.
package struct RecordingPath: Hashable, Sendable {
    /// Of the format, from the configuration.
    package let folder: String
    /// HLS: the stream's own folder.
    package let subfolder: String?
    package let file: String

    /// Nil when a component could leave the folder.
    package init?(folder: String, subfolder: String? = nil, file: String) {
        guard StreamFileName.isHarmless(file), subfolder.map(StreamFileName.isHarmless) ?? true else { return nil }
        self.folder = folder
        self.subfolder = subfolder
        self.file = file
    }

    /// - Parameter relative: as the index holds it.
    package init?(folder: String, relative: String) {
        let parts = relative.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1: self.init(folder: folder, file: parts[0])
        case 2: self.init(folder: folder, subfolder: parts[0], file: parts[1])
        default: return nil
        }
    }

    /// What the index holds: without the folder of the format.
    package var relative: String { subfolder.map { "\($0)/\(file)" } ?? file }

    /// For people, logs and the HTTP server.
    package var full: String { (folder.hasSuffix("/") ? folder : folder + "/") + relative }

    /// Another file in the same place; nil for a name that is refused.
    func sibling(_ file: String) -> RecordingPath? {
        RecordingPath(folder: folder, subfolder: subfolder, file: file)
    }
}
