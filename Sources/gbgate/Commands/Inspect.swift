internal import ArgumentParser
internal import Glibc

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explains a capture: a .ps or .rfc4571 file, or a pcap with SIP and RTP in it."
    )

    @Argument(help: "The file.")
    var file: String

    func run() throws {
        guard let bytes = FileBytes.read(file, limit: 1 << 30) else {
            throw ValidationError("\(file) cannot be read: it does not exist, is a folder, or is larger than 1 GB")
        }
        for line in Inspection.explain(bytes, name: file) { print(line) }
    }
}

enum FileBytes {
    /// The whole of a regular file; nil when it cannot be read or is larger than `limit`.
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(descriptor, &block, block.count)
            guard count >= 0, bytes.count + count <= limit else { return nil }
            if count == 0 { return bytes }
            bytes += block[..<count]
        }
    }
}
