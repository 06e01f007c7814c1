#if DEBUG
    internal import Archive
    internal import Exports
    private import Glibc
    internal import SystemPackage

    /// Stops this process at a step of an export, so that a test can kill it there: only in debug builds.
    ///
    /// Where `TEST_STOPS` names a directory, and it holds a file with the step's name, that file is removed and the process
    /// stops itself as by SIGSTOP.
    enum StepStop {
        private static let directory = getenv("TEST_STOPS").map { String(cString: $0) }

        static func reached(_ step: Step) {
            guard let directory, unlink("\(directory)/\(step.rawValue)") == 0 else { return }
            // To this very thread: sent to the process, another thread might take it while this one goes on.
            raise(SIGSTOP)
        }

        /// Keeps this thread for as long as the directory holds a file `hang-` and the name: a disk that does not answer.
        static func hang(_ name: String?) {
            guard let directory, let name else { return }
            while access("\(directory)/hang-\(name)", F_OK) == 0 { usleep(10_000) }
        }
    }

    /// The system's calls, with the steps among them.
    struct StepCalls: FileSystemCalls {
        private let calls = SystemCalls()

        func makeDirectory(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
            try calls.makeDirectory(path, mode: mode)
        }

        func changeMode(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
            try calls.changeMode(path, mode: mode)
        }

        func changeMode(_ file: FileDescriptor, mode: CInterop.Mode) throws(Errno) {
            try calls.changeMode(file, mode: mode)
        }

        func open(_ path: FilePath) throws(Errno) -> FileDescriptor {
            StepStop.hang(path.lastComponent?.string)
            return try calls.open(path)
        }

        func create(_ path: FilePath, mode: CInterop.Mode) throws(Errno) -> FileDescriptor {
            try calls.create(path, mode: mode)
        }

        func write(_ bytes: UnsafeRawBufferPointer, to file: FileDescriptor) throws(Errno) {
            try calls.write(bytes, to: file)
        }

        func sync(_ file: FileDescriptor) throws(Errno) {
            var status = stat()
            // Directories are synced too, and are no step.
            if fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG { StepStop.reached(.sync) }
            try calls.sync(file)
        }

        func rename(_ path: FilePath, to target: FilePath) throws(Errno) {
            StepStop.reached(.rename)
            try calls.rename(path, to: target)
        }

        func unlink(_ path: FilePath) throws(Errno) {
            try calls.unlink(path)
        }
    }
#endif
