internal import Glibc

enum Output {
    /// Shows what was printed where stdout is a pipe or a file.
    static func flush() {
        fflush(nil)
    }
}
