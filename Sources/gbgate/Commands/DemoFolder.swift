internal import FoundationEssentials

/// Where the project's simulated cameras are.
enum DemoFolder {
    static let name = "devices/simulated"

    /// In the working folder, else in the nearest folder above this program: one that was built in the project finds them from
    /// anywhere.
    static func find(from program: String = program) -> String? {
        if exists(name) { return name }
        var folder = program
        while let slash = folder.lastIndex(of: "/") {
            folder = String(folder[..<slash])
            if exists("\(folder)/\(name)") { return "\(folder)/\(name)" }
        }
        return nil
    }

    private static var program: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    }

    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
